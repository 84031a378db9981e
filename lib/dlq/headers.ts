import type { MessageProperties } from 'amqplib';
import type { FailureReason } from '../telemetry/routing-events';
import { traceContextOf } from '../telemetry/trace-context';

type WithProperties = { properties: Pick<MessageProperties, 'headers'> };

const REASON = 'x-dmr-reason';
const TRIES = 'x-dmr-tries';
/** When this project put the message into the dead-letter queue, ISO 8601; RabbitMQ writes it into `x-death`. */
const DEAD_AT = 'x-dmr-dead-at';
const REPLAYED = 'x-dmr-replayed';
/** When it came back into its agent's queue last, ISO 8601. */
const REPLAYED_AT = 'x-dmr-replayed-at';

/** What a message carries into the dead-letter queue beside its body: why, and the headers of its trace. */
export function deadLetterHeaders(message: WithProperties, reason: FailureReason, tries: number) {
  const replayed = replayedCount(message);
  const more = replayed > 0 ? { [REPLAYED]: replayed } : {};
  const death = { [REASON]: reason, [TRIES]: tries, [DEAD_AT]: new Date().toISOString() };
  return { ...traceContextOf(headersOf(message)), ...death, ...more };
}

/**
 * What it carries back: all that neither RabbitMQ nor this project wrote about its death, and how often and when it was
 * replayed.
 * RabbitMQ 4 reads no `x-death` that a client sends (release notes of 4.0), and an older one would count on.
 */
export function replayHeaders(message: WithProperties): Record<string, unknown> {
  const kept = Object.entries(headersOf(message)).filter(([name]) => !/^(x-|cc$|bcc$)/i.test(name));
  const replay = { [REPLAYED]: replayedCount(message) + 1, [REPLAYED_AT]: new Date().toISOString() };
  return { ...Object.fromEntries(kept), ...replay };
}

/** All of its headers without RabbitMQ's count of deliveries, for a copy that takes its place. */
export function copiedHeaders(message: WithProperties): Record<string, unknown> {
  const { 'x-delivery-count': _count, 'x-acquired-count': _acquired, ...kept } = headersOf(message);
  return kept;
}

export function replayedCount(message: WithProperties): number {
  return wholeNumber(headersOf(message)[REPLAYED]) ?? 0;
}

/** When it was put back into its agent's queue, ms since the epoch; undefined where it never was. */
export function replayedAtOf(message: WithProperties): number | undefined {
  return timeIn(headersOf(message)[REPLAYED_AT]);
}

/** How often the message was given out and came back (RabbitMQ, quorum queues). */
export function returnsOf(message: WithProperties): number {
  return wholeNumber(headersOf(message)['x-delivery-count']) ?? 0;
}

/** This project's reason, or else RabbitMQ's: `expired`, `delivery_limit`, `rejected`, `maxlen`; `unknown` without either. */
export function reasonOf(message: WithProperties): string {
  const headers = headersOf(message);
  const reason = headers[REASON] ?? headers['x-first-death-reason'];
  return typeof reason === 'string' && /^\w{1,40}$/.test(reason) ? reason : 'unknown';
}

/** Tries before this project gave up; null where RabbitMQ dead-lettered the message. */
export function triesOf(message: WithProperties): number | null {
  return wholeNumber(headersOf(message)[TRIES]) ?? null;
}

/** When it was dead-lettered, ms since the epoch; undefined where nobody wrote that down. */
export function deadAtOf(message: WithProperties): number | undefined {
  const headers = headersOf(message);
  const own = timeIn(headers[DEAD_AT]);
  if (own !== undefined) return own;
  const deaths = headers['x-death'] as { time?: { value?: unknown } }[] | undefined;
  const seconds = Array.isArray(deaths) ? wholeNumber(deaths[0]?.time?.value) : undefined;
  return seconds === undefined ? undefined : seconds * 1000;
}

function headersOf({ properties }: WithProperties): Record<string, unknown> {
  return properties.headers ?? {};
}

function timeIn(text: unknown): number | undefined {
  const time = typeof text === 'string' ? Date.parse(text) : NaN;
  return Number.isNaN(time) ? undefined : time;
}

function wholeNumber(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : undefined;
}
