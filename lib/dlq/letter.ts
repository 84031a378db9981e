import type { Message } from 'amqplib';
import { idOf, isIsoTimestamp } from '../protocol/envelope';
import { ERROR_TYPES } from '../protocol/events';
import { traceIdOf } from '../telemetry/trace-context';
import { uuidOrNone } from '../uuid';
import { deadAtOf, reasonOf, replayedAtOf, replayedCount, triesOf } from './headers';

/** What may be shown of a dead letter: never a word of its content. */
export interface DeadLetter {
  id: string;
  senderId: string | null;
  recipientId: string | null;
  type: string | null;
  /** When the server accepted it, ISO 8601. */
  receivedAt: string | null;
  /** When it was dead-lettered, ISO 8601; null where nobody wrote that down. */
  deadAt: string | null;
  reason: string;
  tries: number | null;
  replayed: number;
  bytes: number;
  /** Of a W3C traceparent in the envelope. */
  traceId: string | null;
}

/** The same of a refused message; the texts of the errors may quote it, so only their types are shown. */
export interface FailureRecord {
  id: string;
  types: string[];
  senderId: string | null;
  recipientId: string | null;
  receivedAt: string | null;
  bytes: number;
}

export function describeLetter(message: Message): DeadLetter {
  const envelope = bodyOf(message);
  const deadAt = deadAtOf(message);
  return {
    id: idOfMessage(message),
    senderId: uuid(envelope['senderId']),
    recipientId: uuid(envelope['recipientId']),
    type: envelope['type'] === 'ChatMessage' ? 'ChatMessage' : null,
    receivedAt: time(envelope['receivedAt']),
    deadAt: deadAt === undefined ? null : new Date(deadAt).toISOString(),
    reason: reasonOf(message),
    tries: triesOf(message),
    replayed: replayedCount(message),
    bytes: message.content.length,
    traceId: traceIdOf(envelope) ?? null,
  };
}

export function describeFailure(message: Message): FailureRecord {
  const record = bodyOf(message);
  const refused = (typeof record['message'] === 'object' && record['message'] ? record['message'] : {}) as Body;
  return {
    id: idOfMessage(message),
    types: typesOf(record['errors']),
    senderId: uuid(refused['senderId']),
    recipientId: uuid(refused['recipientId']),
    receivedAt: time(record['receivedAt']),
    bytes: message.content.length,
  };
}

/** The id under which the message was published; one that came in by another way may carry it in its body alone. */
export function idOfMessage(message: Message): string {
  const id: unknown = message.properties.messageId;
  return idOf({ id }) ?? idOf(bodyOf(message)) ?? '';
}

/** When it was dead-lettered or else accepted, ms since the epoch. */
export function timeOfLetter(message: Message): number | undefined {
  return deadAtOf(message) ?? receivedAtOf(message);
}

/** Since when it has been in its agent's queue, ms since the epoch: replayed or else accepted. */
export function waitingSinceOf(message: Pick<Message, 'content' | 'properties'>): number | undefined {
  return replayedAtOf(message) ?? receivedAtOf(message);
}

function receivedAtOf(message: Pick<Message, 'content'>): number | undefined {
  const text = time(bodyOf(message)['receivedAt']);
  return text === null ? undefined : Date.parse(text);
}

type Body = Record<string, unknown>;

function bodyOf({ content }: Pick<Message, 'content'>): Body {
  try {
    const value: unknown = JSON.parse(content.toString());
    return typeof value === 'object' && value !== null ? (value as Body) : {};
  } catch {
    return {}; // UNPARSEABLE lies here too
  }
}

function uuid(value: unknown): string | null {
  return uuidOrNone(value) ?? null;
}

function time(value: unknown): string | null {
  return isIsoTimestamp(value) ? value : null;
}

function typesOf(errors: unknown): string[] {
  const list = Array.isArray(errors) ? (errors as { type?: unknown }[]) : [];
  return [...new Set(list.map((error) => String(error?.type)).filter((type) => ERROR_TYPES.has(type)))];
}
