import { randomUUID } from 'node:crypto';
import type { Publisher } from '../amqp/publisher';
import { VALIDATION_FAILURES } from '../amqp/topology';
import { idOf } from '../protocol/envelope';
import type { ProtocolError } from '../protocol/events';

/**
 * Puts a refused message, as it was received, into validation-failures together with what was wrong about it; one that
 * makes the record larger than `maxBytes` is left out of it. Resolves after the broker's confirm; throws RetryableError
 * BROKER_UNAVAILABLE past `deadlineMs`.
 */
export async function recordFailure(
  publisher: Publisher,
  message: unknown,
  errors: ProtocolError[],
  deadlineMs: number,
  maxBytes = Infinity,
): Promise<void> {
  const id = idOf(message) ?? randomUUID();
  const body = recordOf({ id, errors, receivedAt: new Date().toISOString(), message: message ?? null }, maxBytes);
  await publisher.publish({ queue: VALIDATION_FAILURES, body, messageId: id }, deadlineMs);
}

/** The record without the message where that is too large, or nested too deeply to be printed. */
function recordOf(record: object, maxBytes: number): Buffer {
  try {
    const whole = Buffer.from(JSON.stringify(record));
    if (whole.length <= maxBytes) return whole;
    const note = `left out: the record had ${whole.length} bytes, at most ${maxBytes} are kept`;
    return Buffer.from(JSON.stringify({ ...record, message: note }));
  } catch {
    return Buffer.from(JSON.stringify({ ...record, message: null }));
  }
}
