import type { Channel } from 'amqplib';
import { DmrError, messageOf, RetryableError } from '../errors';
import { replyCode } from './admin';
import type { AmqpConnection } from './connection';

/**
 * Resolves when the queue itself says that no message is ready in it, and a look right after that nobody has one in hand;
 * or when there is no such queue. A look is not enough: RabbitMQ asks the leader for 250 ms and then says 0 messages and
 * 0 consumers (rabbit_quorum_queue:stat). A basic.get goes through the leader and its log; on a queue without one it ends
 * its connection (541), hence one of its own. What it takes goes back to its place, also when the process dies. Throws
 * RetryableError QUEUE_UNSURE where the queue is not empty or has no leader, TIMEOUT where that does not answer,
 * BROKER_UNAVAILABLE.
 */
export async function confirmEmpty(connection: AmqpConnection, queue: string): Promise<void> {
  try {
    const isEmpty = await connection.apart((channel) => saysEmpty(channel, queue), `Queue ${queue} does not answer`);
    if (!isEmpty) throw unsure(queue, 'it was counted as empty and is not');
  } catch (error) {
    if (replyCode(error) === 404) return;
    throw error instanceof DmrError ? error : unsure(queue, messageOf(error));
  }
}

async function saysEmpty(channel: Channel, queue: string): Promise<boolean> {
  if (await channel.get(queue)) return false;
  const { messageCount, consumerCount } = await channel.checkQueue(queue);
  return messageCount === 0 && consumerCount === 0;
}

function unsure(queue: string, why: string): RetryableError {
  return new RetryableError('QUEUE_UNSURE', `What queue ${queue} holds is not known (${why}); try again`);
}
