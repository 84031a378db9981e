import { randomUUID } from 'node:crypto';
import { AmqpConnection } from '../../lib/amqp/connection';
import { declareQueue, queueDepth } from '../../lib/amqp/admin';
import { Publisher } from '../../lib/amqp/publisher';
import { eventually } from '../helpers/eventually';
import { useVhost } from '../helpers/rabbitmq';

const { amqp } = useVhost();

const log = { error: jest.fn(), warn: jest.fn(), info: jest.fn(), debug: jest.fn() };
const QUEUE = 'letters';

/** The broker says "blocked" to a connection as it does in an alarm; an alarm itself would stop every other test. */
const alarm = (connection: AmqpConnection, event: 'blocked' | 'unblocked') =>
  (connection as unknown as { model: { emit(event: string, reason?: string): void } }).model.emit(
    event,
    'low on memory',
  );

describe('a publisher', () => {
  const connection = new AmqpConnection(amqp, 'test', log);
  const publisher = new Publisher(connection, log);

  beforeAll(async () => {
    connection.start();
    await connection.whenOpen(10_000);
    await declareQueue(connection, {
      name: QUEUE,
      options: { durable: true, arguments: { 'x-queue-type': 'quorum' } },
    });
  });

  afterAll(() => connection.stop());

  const publish = (deadlineMs: number, body = 'x') =>
    publisher.publish({ queue: QUEUE, body: Buffer.from(body), messageId: randomUUID() }, deadlineMs);

  it('writes nothing during an alarm, so what it reports as failed has not been sent', async () => {
    alarm(connection, 'blocked');
    for (let count = 0; count < 3; count++) {
      await expect(publish(50)).rejects.toMatchObject({ code: 'BROKER_UNAVAILABLE', retryable: true });
    }
    expect(publisher.ready).toBe(false);
    const waiting = publish(10_000);
    alarm(connection, 'unblocked');
    await waiting;
    await eventually(async () => (await queueDepth(connection, QUEUE)) === 1);
  });

  it('holds back while the socket is full, loses nothing and leaves no listeners behind', async () => {
    const warnings: string[] = [];
    const note = (warning: Error) => warnings.push(warning.name);
    process.on('warning', note);
    const large = 'x'.repeat(200_000);
    for (let round = 0; round < 15; round++) await Promise.all(Array.from({ length: 5 }, () => publish(20_000, large)));
    process.off('warning', note);
    expect(warnings).toEqual([]);
    await eventually(async () => (await queueDepth(connection, QUEUE)) === 76);
  });
});
