import { EventEmitter } from 'node:events';
import type { ConsumeMessage } from 'amqplib';
import type { AmqpConnection } from '../../../lib/amqp/connection';
import { ConsumeProbes } from '../../../lib/amqp/consume-probes';
import { QueueConsumer } from '../../../lib/amqp/consumer';
import { eventually } from '../../helpers/eventually';
import { RecordingLog } from '../fakes';

const never = new Promise<never>(() => undefined);
const SETUP_MS = 100;

class FakeChannel extends EventEmitter {
  deliver: ((message: ConsumeMessage) => void) | undefined;
  isClosed = false;

  constructor(private readonly answersConsume: boolean) {
    super();
  }

  prefetch = () => Promise.resolve();
  ack = () => undefined;
  consume = (_queue: string, deliver: (message: ConsumeMessage) => void) => {
    this.deliver = deliver;
    return this.answersConsume ? Promise.resolve({ consumerTag: 'tag' }) : never;
  };
  close = () => {
    this.isClosed = true;
    this.emit('close');
    return Promise.resolve();
  };
}

function setUp(channels: FakeChannel[], ready: Promise<void>[] = []) {
  const opened: FakeChannel[] = [];
  const connection = Object.assign(new EventEmitter(), {
    isOpen: true,
    probes: new ConsumeProbes(() => never),
    channel: async () => {
      await ready.shift();
      const channel = channels.shift() ?? new FakeChannel(true);
      opened.push(channel);
      return channel;
    },
  });
  const handled: string[] = [];
  const handle = (message: ConsumeMessage) => {
    handled.push(message.content.toString());
    return Promise.resolve('ack' as const);
  };
  const options = { queue: 'q', prefetch: 1, declare: () => Promise.resolve(), handle };
  const consumer = new QueueConsumer(connection as unknown as AmqpConnection, options, new RecordingLog(), SETUP_MS);
  return { consumer, opened, handled };
}

const message = (text: string) => ({ content: Buffer.from(text), fields: { deliveryTag: 1 } }) as ConsumeMessage;

describe('a consumer whose broker does not answer', () => {
  it('begins anew on another channel, and takes nothing from the one it gave up', async () => {
    const mute = new FakeChannel(false);
    const { consumer, opened, handled } = setUp([mute]);
    await consumer.start();
    await eventually(() => opened.length === 2 && opened[1]?.deliver !== undefined);
    expect(mute.isClosed).toBe(true);
    mute.deliver?.(message('late'));
    opened[1]?.deliver?.(message('in time'));
    await eventually(() => handled.length > 0);
    expect(handled).toEqual(['in time']);
    await consumer.close();
  });

  it('does not become a second one when an earlier channel opens after all', async () => {
    let open: () => void = () => undefined;
    const late = new Promise<void>((resolve) => (open = resolve));
    const { consumer, opened } = setUp([], [late]);
    await consumer.start();
    await eventually(() => opened.length === 1);
    open();
    await eventually(() => opened.length === 2);
    await new Promise(setImmediate);
    expect(opened.map(({ isClosed, deliver }) => [isClosed, Boolean(deliver)])).toEqual([
      [false, true],
      [true, false],
    ]);
    await consumer.close();
  });
});
