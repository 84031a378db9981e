import type { ConsumeMessage } from 'amqplib';
import { Acks } from '../../../lib/amqp/acks';

const message = (deliveryTag: number) => ({ fields: { deliveryTag } }) as ConsumeMessage;

/** Acks of a channel on which messages with the tags from 1 to `count` have come. */
function setUp(count: number) {
  const sent: string[] = [];
  const failures: unknown[] = [];
  const channel = {
    isOpen: true,
    ack({ fields }: ConsumeMessage, allUpTo = false) {
      if (!this.isOpen) throw new Error('Channel closing');
      sent.push(`${allUpTo ? 'to ' : ''}${fields.deliveryTag}`);
    },
  };
  const acks = new Acks(channel, (error) => failures.push(error));
  for (let tag = 1; tag <= count; tag++) acks.delivered(message(tag));
  const add = (...tags: number[]) => tags.forEach((tag) => acks.add(message(tag)));
  return { acks, add, sent, failures, channel };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('acks of one channel', () => {
  it('go out at the end of the turn, those without a gap before them as one', async () => {
    const { add, sent } = setUp(6);
    add(2, 1, 3, 5);
    expect(sent).toEqual([]);
    await turn();
    expect(sent).toEqual(['to 3', '5']);
  });

  it('pass over what was acked alone before', async () => {
    const { add, sent } = setUp(6);
    add(2, 3);
    await turn();
    add(1, 4);
    await turn();
    add(6);
    await turn();
    add(5);
    await turn();
    expect(sent).toEqual(['2', '3', 'to 4', '6', 'to 5']);
  });

  it('go out before the channel is closed, and once', async () => {
    const { acks, add, sent } = setUp(2);
    add(1);
    acks.flush();
    expect(sent).toEqual(['to 1']);
    acks.flush();
    await turn();
    expect(sent).toEqual(['to 1']);
  });

  it('of a channel that was lost do not go out', async () => {
    const { acks, add, sent, failures, channel } = setUp(2);
    add(1);
    channel.isOpen = false;
    acks.forget();
    await turn();
    expect([sent, failures]).toEqual([[], []]);
  });

  it('that a channel takes no more are told of', async () => {
    const { add, failures, channel } = setUp(3);
    add(1, 3);
    channel.isOpen = false;
    await turn();
    expect(failures).toEqual([new Error('Channel closing')]);
  });
});
