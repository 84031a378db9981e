import { ask, lookAtQueue, replyCode, seemsEmpty } from './admin';
import type { AmqpConnection } from './connection';
import { withQueueLock } from './queue-lock';
import { confirmEmpty } from './really-empty';

/** What became of a queue that was to be deleted. */
export interface Deleted {
  gone: boolean;
  /** Messages that came in between the look and the deletion, and went with it. */
  lost: number;
}

const KEPT: Deleted = { gone: false, lost: 0 };
const GONE: Deleted = { gone: true, lost: 0 };

/**
 * Deletes a queue that holds nothing and that nobody consumes. Quorum queues refuse if-empty and if-unused, and RabbitMQ
 * deletes also where a leader is missing, so this makes sure first: nobody may publish to the queue any more. Whoever goes
 * through it has its lock. `isUnused` is asked at the last moment. Throws as `confirmEmpty` and `withQueueLock`; then it
 * was not deleted, or, after TIMEOUT, held nothing.
 */
export async function deleteEmptyQueue(
  connection: AmqpConnection,
  queue: string,
  isUnused: () => boolean = () => true,
): Promise<Deleted> {
  const look = await lookAtQueue(connection, queue);
  if (!look) return GONE;
  if (!seemsEmpty(look)) return KEPT;
  return withQueueLock(connection, queue, async () => {
    await confirmEmpty(connection, queue);
    return deleteIdle(connection, queue, isUnused);
  });
}

/** Looks again, at the last moment as well. */
async function deleteIdle(connection: AmqpConnection, queue: string, isUnused: () => boolean): Promise<Deleted> {
  try {
    return await ask(connection, async (channel) => {
      const { messageCount, consumerCount } = await channel.checkQueue(queue);
      if (messageCount > 0 || consumerCount > 0 || !isUnused()) return KEPT;
      const deleted = await channel.deleteQueue(queue);
      return { gone: true, lost: deleted.messageCount };
    });
  } catch (error) {
    if (replyCode(error) === 404) return GONE;
    throw error;
  }
}
