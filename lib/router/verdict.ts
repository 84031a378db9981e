import { ERROR_TYPES, type ProtocolError } from '../protocol/events';
import type { FailureReason } from '../telemetry/routing-events';

/** What an agent's answer means for the message. */
export type Verdict =
  | { kind: 'delivered' }
  | { kind: 'rejected'; errors: ProtocolError[] }
  | { kind: 'retry'; reason: FailureReason }
  /** The agent says that no further try can help. */
  | { kind: 'final' };

const MAX_TEXT = 500;
const MAX_ERRORS = 50;

/**
 * Reads the ack of an agent. Nothing but a plain `{status:'ok'}` counts as delivered; an answer of no known form is a
 * failure, never silently acked.
 */
export function verdictOf(answer: unknown): Verdict {
  const { status, errors } = (answer ?? {}) as { status?: unknown; errors?: unknown };
  if (status === 'ok') return { kind: 'delivered' };
  const list = status === 'error' ? readErrors(errors) : [];
  if (list.length === 0) return { kind: 'retry', reason: 'BAD_ACK' };
  if (isFinal(errors)) return { kind: 'final' };
  if (list.some((error) => error.type === 'DELIVERY_FAILED')) return { kind: 'retry', reason: 'DELIVERY_FAILED' };
  return { kind: 'rejected', errors: list };
}

/** Extension `final`: only DELIVERY_FAILED carries it, any other type is final by itself. */
function isFinal(errors: unknown): boolean {
  const entries = Array.isArray(errors) ? (errors as { type?: unknown; final?: unknown }[]) : [];
  return entries.some(({ type, final }) => type === 'DELIVERY_FAILED' && final === true);
}

/** The errors of known types; an unknown type anywhere makes the whole answer unusable. */
function readErrors(errors: unknown): ProtocolError[] {
  if (!Array.isArray(errors) || errors.length > MAX_ERRORS) return [];
  const list: ProtocolError[] = [];
  for (const entry of errors as unknown[]) {
    const { type, message } = (entry ?? {}) as { type?: unknown; message?: unknown };
    if (typeof type !== 'string' || !ERROR_TYPES.has(type)) return [];
    const text = typeof message === 'string' ? message.slice(0, MAX_TEXT) : '';
    list.push({ type: type as ProtocolError['type'], message: text });
  }
  return list;
}
