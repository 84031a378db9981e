import type { Options } from 'amqplib';
import type { QueueTtlConfig } from '../config/types';

/** Where refused messages lie, with what was wrong about them. */
export const VALIDATION_FAILURES = 'validation-failures';

/** A queue as data: what to declare, again after every loss. */
export interface QueueDefinition {
  name: string;
  options: Options.AssertQueue;
}

/** The dead-letter queue of an agent. */
export function deadLetterQueue(agentId: string, ttl: QueueTtlConfig): QueueDefinition {
  return quorum(dlqName(agentId), ttl.dlqTtlMs);
}

export function dlqName(agentId: string): string {
  return `${agentId}.dlq`;
}

/** Whether nobody should need what lies there: a dead-letter queue, or validation-failures. */
export function isForDead(queue: string): boolean {
  return queue === VALIDATION_FAILURES || queue.endsWith(dlqName(''));
}

function quorum(name: string, ttlMs: number, more: Record<string, string> = {}): QueueDefinition {
  const queueArguments = { 'x-queue-type': 'quorum', 'x-message-ttl': ttlMs, ...more };
  return { name, options: { durable: true, arguments: queueArguments } };
}

/**
 * The dead-letter queue and the queue of an agent, in the order to declare them: a message may expire as soon as the
 * second exists. Dead-lettering at least once needs reject-publish (RabbitMQ, "Quorum Queues: Dead Lettering").
 */
export function agentQueues(agentId: string, ttl: QueueTtlConfig): QueueDefinition[] {
  const dlq = dlqName(agentId);
  return [
    deadLetterQueue(agentId, ttl),
    quorum(agentId, ttl.agentTtlMs, {
      'x-dead-letter-exchange': '',
      'x-dead-letter-routing-key': dlq,
      'x-dead-letter-strategy': 'at-least-once',
      'x-overflow': 'reject-publish',
    }),
  ];
}

export function validationFailuresQueue(ttl: QueueTtlConfig): QueueDefinition {
  return quorum(VALIDATION_FAILURES, ttl.validationFailuresTtlMs);
}
