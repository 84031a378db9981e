import { checker } from './checker';
import type { ProtocolError } from './events';

/** A sealed message as it crosses the mesh; unknown further fields travel with it untouched. */
export interface Envelope {
  id: string;
  senderId: string;
  recipientId: string;
  type: 'ChatMessage';
  /** Compact JWE. */
  payload: string;
  /** ISO 8601 exactly as `Date.prototype.toISOString` prints it. */
  timestamp: string;
  /** The trace that it belongs to, unchecked: `traceContextOf` reads it. */
  traceparent?: string;
  tracestate?: string;
}

/** An envelope that the server accepted. */
export interface StoredEnvelope extends Envelope {
  /** When the server accepted it, ISO 8601. */
  receivedAt: string;
}

/** Why an envelope is refused: the text of the error ack and what is written to validation-failures. */
export interface Refusal {
  ackError: string;
  errors: ProtocolError[];
}

/** The ack of what cannot be taken for an envelope at all. */
export const UNREADABLE = 'Message validation failed';

const check = checker({
  id: { type: 'uuid' },
  senderId: { type: 'uuid' },
  recipientId: { type: 'uuid' },
  type: { type: 'equal', value: 'ChatMessage', strict: true },
  payload: { type: 'string', empty: false },
});

/** A time of a day that every month has. */
const PLAIN_TIME = /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/;

/** True for what `new Date(x).toISOString()` prints and nothing else. */
export function isIsoTimestamp(value: unknown): value is string {
  if (typeof value !== 'string') return false;
  if (PLAIN_TIME.test(value)) return true; // no Date for each message
  const time = Date.parse(value);
  return !Number.isNaN(time) && new Date(time).toISOString() === value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function formatErrors(candidate: Record<string, unknown>): ProtocolError[] {
  return check(candidate).map((violation) => ({
    type: 'INVALID_FORMAT',
    message: violation.message ?? `The '${violation.field}' field breaks the rule '${violation.type}'.`,
  }));
}

/**
 * Checks the form of an envelope, not who it is from: returns it typed, or the refusal with one error per violated rule.
 */
export function parseEnvelope(value: unknown): { envelope: Envelope } | { refusal: Refusal } {
  if (!isObject(value)) {
    const errors: ProtocolError[] = [{ type: 'UNKNOWN', message: 'The message is not an object' }];
    return { refusal: { ackError: UNREADABLE, errors } };
  }
  const errors = formatErrors(value);
  const timestampError: ProtocolError[] = isIsoTimestamp(value.timestamp)
    ? []
    : [{ type: 'INVALID_TIMESTAMP', message: "The 'timestamp' field must be what Date.toISOString() prints." }];
  if (errors.length > 0) {
    return { refusal: { ackError: 'Validation failed', errors: [...errors, ...timestampError] } };
  }
  if (timestampError.length > 0) {
    return { refusal: { ackError: 'Invalid timestamp format', errors: timestampError } };
  }
  return { envelope: value as unknown as Envelope };
}

/** The id that a message claims to have, if it has one of a sane size. */
export function idOf(message: unknown): string | undefined {
  const id = (message as { id?: unknown } | null | undefined)?.id;
  return typeof id === 'string' && id !== '' && id.length <= 64 ? id : undefined;
}
