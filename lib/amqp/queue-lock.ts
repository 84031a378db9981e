import { RetryableError } from '../errors';
import { replyCode, withChannel } from './admin';
import type { AmqpConnection } from './connection';

const held = new WeakMap<AmqpConnection, Set<string>>();
const RESOURCE_LOCKED = 405;
const QUEUE_BUSY = 'QUEUE_BUSY';

/**
 * Runs work that must not be done twice at the same time to one queue, by whichever process. The lock is a queue
 * `<queue>.lock` that is exclusive to our connection (AMQP 0-9-1, queue.declare): the broker takes it away with the
 * connection, and with it the messages that the work held, so nobody has to wait for a process that died.
 * Throws RetryableError QUEUE_BUSY.
 */
export async function withQueueLock<T>(connection: AmqpConnection, queue: string, work: () => Promise<T>): Promise<T> {
  const locks = held.get(connection) ?? new Set<string>();
  held.set(connection, locks);
  if (locks.has(queue)) throw queueBusy(queue); // its own exclusive queue is open to a connection
  locks.add(queue);
  try {
    await lock(connection, queue);
    return await work();
  } finally {
    // Gone by itself where the connection is.
    await withChannel(connection, (channel) => channel.deleteQueue(nameOf(queue))).catch(() => undefined);
    locks.delete(queue);
  }
}

async function lock(connection: AmqpConnection, queue: string): Promise<void> {
  const options = { exclusive: true, durable: false };
  try {
    await withChannel(connection, (channel) => channel.assertQueue(nameOf(queue), options));
  } catch (error) {
    throw replyCode(error) === RESOURCE_LOCKED ? queueBusy(queue) : error;
  }
}

function nameOf(queue: string): string {
  return `${queue}.lock`;
}

export function queueBusy(queue: string): RetryableError {
  return new RetryableError(QUEUE_BUSY, `Somebody else is going through queue ${queue} right now; try again later`);
}

export function isQueueBusy(error: unknown): boolean {
  return error instanceof RetryableError && error.code === QUEUE_BUSY;
}
