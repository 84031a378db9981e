import type { Channel } from 'amqplib';
import { messageOf } from '../errors';
import { closing } from './closing';
import type { AmqpConnection } from './connection';
import type { QueueDefinition } from './topology';
import { ANSWER_TIMEOUT_MS, within } from './within';

/** `as-is`: the queue exists with other arguments, which cannot be changed; it is used as it stands. */
export type Declared = { state: 'declared' } | { state: 'as-is'; reason: string };

/**
 * Runs one piece of work on a channel of its own: a protocol error (404, 406) closes that channel and nothing else.
 * Throws RetryableError BROKER_UNAVAILABLE while there is no connection.
 */
export async function withChannel<T>(connection: AmqpConnection, work: (channel: Channel) => Promise<T>): Promise<T> {
  const channel = await connection.channel((model) => model.createChannel());
  // The failed call rejects with the same reason; the event alone would end the process.
  channel.on('error', () => undefined);
  try {
    return await work(channel);
  } finally {
    await closing(channel);
  }
}

/** The same for one question, which throws RetryableError TIMEOUT when it is not answered in time. */
export function ask<T>(
  connection: AmqpConnection,
  question: (channel: Channel) => Promise<T>,
  timeoutMs = ANSWER_TIMEOUT_MS,
): Promise<T> {
  return withChannel(connection, (channel) => within(question(channel), timeoutMs, 'RabbitMQ does not answer'));
}

/** AMQP reply code that closed a channel (404, 406 …), or undefined for anything else that was thrown. */
export function replyCode(error: unknown): number | undefined {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'number' ? code : undefined;
}

/** Declares a queue; one that exists with other arguments is reported, never an error. */
export async function declareQueue(connection: AmqpConnection, queue: QueueDefinition): Promise<Declared> {
  try {
    await ask(connection, (channel) => channel.assertQueue(queue.name, queue.options));
    return { state: 'declared' };
  } catch (error) {
    if (replyCode(error) === 406) return { state: 'as-is', reason: messageOf(error) };
    throw error;
  }
}

export interface QueueLook {
  /** Messages that wait for a consumer; those that one holds are not among them. */
  ready: number;
  consumers: number;
}

/**
 * A look that changes nothing; undefined when there is no such queue. It sees 0 messages and 0 consumers also in one whose
 * leader is missing or slow: see `confirmEmpty`.
 */
export async function lookAtQueue(connection: AmqpConnection, queue: string): Promise<QueueLook | undefined> {
  try {
    const { messageCount, consumerCount } = await ask(connection, (channel) => channel.checkQueue(queue));
    return { ready: messageCount, consumers: consumerCount };
  } catch (error) {
    if (replyCode(error) === 404) return undefined;
    throw error;
  }
}

/** It seems to hold nothing: what somebody has in hand makes that a consumer until it is settled (rabbit_fifo.erl). */
export function seemsEmpty({ ready, consumers }: QueueLook): boolean {
  return ready === 0 && consumers === 0;
}

/** Messages ready in a queue; undefined when there is no such queue. */
export async function queueDepth(connection: AmqpConnection, queue: string): Promise<number | undefined> {
  return (await lookAtQueue(connection, queue))?.ready;
}
