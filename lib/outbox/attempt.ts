import { DmrError } from '../errors';
import type { Envelope } from '../protocol/envelope';
import type { ServerAck } from '../protocol/events';

/**
 * Sends up and resolves with the server's ack; throws RetryableError UPLINK_DOWN when nothing was sent, UPLINK_LOST or
 * NO_ANSWER when the server may have it.
 */
export type Transmit = (envelope: Envelope, timeoutMs: number) => Promise<ServerAck>;

/** What became of one try to hand an envelope to the server. */
export type Attempt =
  | { result: 'taken' }
  /** `final`: the same message will be refused again. */
  | { result: 'refused'; final: boolean; why: string }
  | { result: 'not-sent'; error: DmrError }
  /** The server may have taken it. */
  | { result: 'unknown'; error: DmrError };

/** Tries once. A server that does not say `retryable: true` means its refusal for good; deployed servers never do. */
export async function attempt(transmit: Transmit, envelope: Envelope, timeoutMs: number): Promise<Attempt> {
  try {
    const ack = await transmit(envelope, timeoutMs);
    if (ack?.status === 'ok') return { result: 'taken' };
    return { result: 'refused', final: ack?.retryable !== true, why: `The DMR server refused the message${why(ack)}` };
  } catch (error) {
    if (!(error instanceof DmrError)) throw error;
    return { result: error.code === 'UPLINK_DOWN' ? 'not-sent' : 'unknown', error };
  }
}

function why(ack: { error?: unknown } | null | undefined): string {
  return typeof ack?.error === 'string' ? `: ${ack.error.slice(0, 500)}` : '';
}
