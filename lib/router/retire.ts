import type { GetMessage } from 'amqplib';
import { withChannel } from '../amqp/admin';
import type { AmqpConnection } from '../amqp/connection';
import type { Publisher } from '../amqp/publisher';
import { confirmEmpty } from '../amqp/really-empty';
import { dlqName } from '../amqp/topology';
import { ANSWER_TIMEOUT_MS, within } from '../amqp/within';
import { deadLetterHeaders } from '../dlq/headers';
import type { FailureReason } from '../telemetry/routing-events';

const REASON: FailureReason = 'AGENT_REMOVED';
const CONFIRM_TIMEOUT_MS = 5000;

/**
 * Moves what still waits for an agent that left into its dead-letter queue and returns how many messages that were.
 * Each leaves its queue only after its copy was confirmed; a crash in between leaves two copies, never none.
 * It stops before the next message as soon as `hasLeft` says otherwise: what is left in the queue is the agent's again.
 * Throws RetryableError TIMEOUT or QUEUE_UNSURE where the queue does not answer, BROKER_UNAVAILABLE; what was moved by
 * then is moved.
 */
export async function moveToDlq(
  connection: AmqpConnection,
  publisher: Publisher,
  agentId: string,
  hasLeft: () => boolean = () => true,
): Promise<number> {
  const answered = <T>(question: Promise<T>) => within(question, ANSWER_TIMEOUT_MS, `Queue ${agentId} does not answer`);
  return withChannel(connection, async (channel) => {
    const { messageCount, consumerCount } = await answered(channel.checkQueue(agentId));
    if (messageCount === 0 && consumerCount === 0 && hasLeft()) await confirmEmpty(connection, agentId);
    for (let moved = 0; moved < messageCount; moved++) {
      const message = hasLeft() && (await answered(channel.get(agentId)));
      if (!message) return moved;
      await publisher.publish(deadLetter(agentId, message), CONFIRM_TIMEOUT_MS);
      channel.ack(message);
    }
    return messageCount;
  });
}

function deadLetter(agentId: string, message: GetMessage) {
  const messageId = String(message.properties.messageId ?? '');
  return {
    queue: dlqName(agentId),
    body: message.content,
    messageId,
    headers: deadLetterHeaders(message, REASON, 0),
  };
}
