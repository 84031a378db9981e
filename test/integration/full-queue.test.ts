import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { declareQueue } from '../../lib/amqp/admin';
import { eventually } from '../helpers/eventually';
import { MessageLine } from '../helpers/message-line';
import { Queues } from '../helpers/queues';
import { useVhost } from '../helpers/rabbitmq';

const { amqp } = useVhost();

/** Messages for one agent that cannot be stored must cost nobody else anything. */
describe('a queue that takes nothing more', () => {
  const full = randomUUID();
  const queues = new Queues(amqp);
  let line: MessageLine;

  beforeAll(async () => {
    line = await new MessageLine(amqp).start();
    await line.flows();
    const limits = { 'x-queue-type': 'quorum', 'x-max-length': 1, 'x-overflow': 'reject-publish' };
    await declareQueue(line.admin, { name: full, options: { durable: true, arguments: limits } });
    await eventually(async () => {
      await put(1000).catch(() => undefined);
      await expect(put(1000)).rejects.toMatchObject({ code: 'BROKER_UNAVAILABLE' });
    });
  });

  afterAll(async () => {
    await line.stop();
    await queues.close();
  });

  const put = (deadlineMs: number) =>
    line.publisher.publish({ queue: full, body: Buffer.from('{}'), messageId: randomUUID() }, deadlineMs);

  it('doubles and delays nothing that goes to another', async () => {
    const refused: Promise<unknown>[] = [];
    const sent: Promise<string>[] = [];
    let notReady = 0;
    for (let turn = 0; turn < 100; turn++) {
      refused.push(
        put(1500).then(
          () => 'taken',
          (error: unknown) => error,
        ),
      );
      for (let i = 0; i < 5; i++) sent.push(line.send(1500));
      if (!line.publisher.ready) notReady += 1;
      await pause(20);
    }
    await Promise.all(sent);
    for (const outcome of await Promise.all(refused)) expect(outcome).toMatchObject({ retryable: true });
    await eventually(() => line.received.size >= sent.length);
    expect([...line.received.values()].filter((times) => times > 1)).toEqual([]);
    await line.nothingLost();
    expect(notReady).toBe(0);
    expect(line.warnings.length).toBeLessThan(10);
  });

  it('takes messages again once there is room', async () => {
    await queues.drain(full);
    await eventually(() => put(1500));
  });
});
