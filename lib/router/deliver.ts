import { isUtf8 } from 'node:buffer';
import type { ConsumeMessage } from 'amqplib';
import { backoffMs } from '../amqp/backoff';
import type { Settlement } from '../amqp/consumer';
import type { Lifetime } from '../amqp/lifetime';
import { UnroutableError } from '../amqp/publish-errors';
import type { Publisher } from '../amqp/publisher';
import { dlqName } from '../amqp/topology';
import type { DeliveryConfig } from '../config/types';
import { deadLetterHeaders, replayedCount, returnsOf } from '../dlq/headers';
import { messageOf } from '../errors';
import { idOf, type StoredEnvelope } from '../protocol/envelope';
import type { ProtocolError } from '../protocol/events';
import type { FailureReason, RoutingEvents } from '../telemetry/routing-events';
import { messageAttributes, queueHop } from '../telemetry/span-attributes';
import { inTrace, traceContextOf } from '../telemetry/trace-context';
import type { Span, Tracing } from '../telemetry/tracing';
import { AnswerQueue } from './answer-queue';
import { recordFailure } from './validation-failures';
import type { Suspects } from './suspects';
import { verdictOf, type Verdict } from './verdict';

/**
 * Sends an envelope, as JSON in UTF-8, to the agent's socket; `answer` is called with its ack, late or never. False when
 * nothing was sent, as too much waits for the agent to read it.
 */
export type SendDown = (body: Buffer, answer: (ack: unknown) => void) => boolean;

export interface DeliverContext {
  agentId: string;
  send: SendDown;
  publisher: Publisher;
  /** Makes every queue that a message can be put away in exist. */
  declare: () => Promise<void>;
  delivery: DeliveryConfig;
  /** Of the agent's present session. */
  suspects: Suspects;
  tracing: Tracing;
  events: RoutingEvents;
}

export type Outcome =
  | { kind: 'delivered' }
  | { kind: 'rejected'; errors: ProtocolError[] }
  | { kind: 'dead'; reason: FailureReason; tries: number }
  | { kind: 'released' };

/** How long one attempt to put a message elsewhere may take; it is repeated until the consumer is gone. */
const SETTLE_TIMEOUT_MS = 5000;
const [SETTLE_PAUSE_MS, LONGEST_SETTLE_PAUSE_MS] = [250, 5000];

/**
 * The way of a message from its queue to the recipient. It leaves the queue only after the agent's answer, or after the
 * broker confirmed it in another queue: if the process dies before, it is delivered again and the agent drops what it
 * has seen.
 */
export async function deliver(
  context: DeliverContext,
  message: ConsumeMessage,
  lifetime: Lifetime,
): Promise<Settlement> {
  const stored = parse(message);
  const returns = returnsOf(message);
  const span = spanOf(context, stored, returns);
  const envelope = stored && inTrace(stored, span.context);
  const outcome: Outcome = envelope
    ? await context.suspects.pass(returns, () => handOver(context, message, stored, envelope, span, lifetime), lifetime)
    : { kind: 'dead', reason: 'UNPARSEABLE', tries: 0 };
  const settlement =
    outcome.kind === 'released' ? 'keep' : await putAway(context, message, envelope, outcome, lifetime);
  span.end({ 'dmr.outcome': settlement === 'keep' ? 'released' : outcome.kind }, failureOf(outcome));
  return settlement;
}

function spanOf({ agentId, tracing }: DeliverContext, envelope: StoredEnvelope | undefined, returns: number): Span {
  const attributes = () => ({
    ...queueHop('process', agentId),
    ...messageAttributes(envelope),
    'dmr.returns': returns,
  });
  return tracing.start('deliver', 'consumer', traceContextOf(envelope), attributes);
}

function failureOf(outcome: Outcome): string | undefined {
  if (outcome.kind === 'dead') return outcome.reason;
  return outcome.kind === 'rejected' ? (outcome.errors[0]?.type ?? 'UNKNOWN') : undefined;
}

function parse(message: ConsumeMessage): StoredEnvelope | undefined {
  try {
    const value: unknown = JSON.parse(message.content.toString());
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as StoredEnvelope) : undefined;
  } catch {
    return undefined; // becomes a dead letter with its reason
  }
}

/** The bytes in the queue, unless something of them has to change; undefined for what cannot be printed. */
function bodyOf({ content }: ConsumeMessage, stored: StoredEnvelope, envelope: StoredEnvelope): Buffer | undefined {
  // Others may have written it: a peer closes the socket on bytes that are not UTF-8 (RFC 6455, 8.1).
  if (envelope === stored && isFlat(stored) && isUtf8(content)) return content;
  try {
    return Buffer.from(JSON.stringify(envelope));
  } catch {
    return undefined; // nested too deeply for the stack, and no later try changes that
  }
}

function isFlat(envelope: object): boolean {
  return Object.values(envelope).every((value) => typeof value !== 'object');
}

/** Tries with back-off until the agent took or refused it. An answer counts whenever it comes, to whichever try. */
async function handOver(
  context: DeliverContext,
  message: ConsumeMessage,
  stored: StoredEnvelope,
  envelope: StoredEnvelope,
  span: Span,
  lifetime: Lifetime,
): Promise<Outcome> {
  const body = bodyOf(message, stored, envelope);
  if (!body) return { kind: 'dead', reason: 'UNSENDABLE', tries: 0 };
  const { maxTries, ackTimeoutMs, retryDelayMs, retryDelayMaxMs } = context.delivery;
  const answers = new AnswerQueue();
  let reason: FailureReason | undefined;
  // An agent may try its chatbot for long before it answers: jitter must not end the last wait ahead of time.
  const end = performance.now() + longestDeliveryMs(context.delivery);
  for (let attempt = 1; attempt <= maxTries; attempt++) {
    if (lifetime.ended) return { kind: 'released' };
    if (context.send(body, (ack) => answers.push(ack))) {
      context.events.sent(envelope, attempt, reason);
      span.event('sent', { try: attempt });
    }
    const isLast = attempt === maxTries;
    const wait = isLast ? Math.max(ackTimeoutMs, end - performance.now()) : ackTimeoutMs;
    const pause = isLast ? 0 : backoffMs(attempt, retryDelayMs, retryDelayMaxMs);
    const verdict = await answerWithin(answers, wait, pause, lifetime);
    span.event(verdict.kind, { try: attempt, ...(verdict.kind === 'retry' && { reason: verdict.reason }) });
    if (verdict.kind === 'delivered') context.events.delivered(envelope, attempt, replayedCount(message) > 0);
    if (verdict.kind === 'final') return { kind: 'dead', reason: 'CHATBOT_REFUSED', tries: attempt };
    if (verdict.kind !== 'retry') return verdict;
    reason = verdict.reason;
  }
  return lifetime.ended ? { kind: 'released' } : { kind: 'dead', reason: reason ?? 'NO_ACK', tries: maxTries };
}

/** All tries with their longest pauses, ms. */
export function longestDeliveryMs(delivery: DeliveryConfig): number {
  const { maxTries, ackTimeoutMs, retryDelayMs, retryDelayMaxMs } = delivery;
  let total = maxTries * ackTimeoutMs;
  for (let pause = 1; pause < maxTries; pause++) total += backoffMs(pause, retryDelayMs, retryDelayMaxMs, false);
  return total;
}

/** Waits for an answer, and after a failure goes on listening for a better one until the pause is over. */
async function answerWithin(answers: AnswerQueue, waitMs: number, pauseMs: number, lifetime: Lifetime) {
  let verdict: Verdict = { kind: 'retry', reason: 'NO_ACK' };
  const first = await answers.next(waitMs, lifetime);
  if (first) verdict = verdictOf(first.answer);
  const end = performance.now() + pauseMs;
  for (let left = pauseMs; verdict.kind === 'retry' && left > 0 && !lifetime.ended; left = end - performance.now()) {
    const late = await answers.next(left, lifetime);
    if (late) verdict = verdictOf(late.answer);
  }
  return verdict;
}

/** Whatever the message becomes, its copy is confirmed elsewhere before it may leave the queue. */
async function putAway(
  context: DeliverContext,
  message: ConsumeMessage,
  envelope: StoredEnvelope | undefined,
  outcome: Exclude<Outcome, { kind: 'released' }>,
  lifetime: Lifetime,
): Promise<Settlement> {
  for (let failed = 1; !lifetime.ended; failed++) {
    try {
      if (outcome.kind === 'rejected') await reject(context, envelope, outcome.errors);
      if (outcome.kind === 'dead') await deadLetter(context, message, envelope, outcome);
      return 'ack';
    } catch (error) {
      context.events.notPutAway(context.agentId, messageOf(error));
      if (error instanceof UnroutableError) await context.declare().catch(() => undefined); // tried again just below
      await lifetime.wait(backoffMs(failed, SETTLE_PAUSE_MS, LONGEST_SETTLE_PAUSE_MS));
    }
  }
  return 'keep';
}

async function reject(
  { publisher, events }: DeliverContext,
  envelope: StoredEnvelope | undefined,
  errors: ProtocolError[],
): Promise<void> {
  // Never cut: this record is all that is left of a message that was acknowledged.
  await recordFailure(publisher, envelope, errors, SETTLE_TIMEOUT_MS);
  events.recorded(errors);
  if (envelope) events.rejected(envelope, errors);
}

async function deadLetter(
  { agentId, publisher, events }: DeliverContext,
  message: ConsumeMessage,
  envelope: StoredEnvelope | undefined,
  { reason, tries }: Outcome & { kind: 'dead' },
): Promise<void> {
  const messageId = String(message.properties.messageId ?? idOf(envelope) ?? '');
  const headers = deadLetterHeaders(message, reason, tries);
  await publisher.publish({ queue: dlqName(agentId), body: message.content, messageId, headers }, SETTLE_TIMEOUT_MS);
  events.deadLettered(agentId, messageId, reason, tries, envelope);
}
