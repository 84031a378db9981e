import type { AgentConfig } from '../config/types';
import { FinalError, RetryableError } from '../errors';
import { AnswerLateError, postJson, type Answer } from '../http/post-json';
import type { Envelope } from '../protocol/envelope';
import type { TraceContext } from '../telemetry/trace-context';

export type FailureReason = 'status' | 'timeout' | 'unreachable' | 'broken';

/** The chatbot did not take the message this time. */
export class ChatbotFailedError extends RetryableError {
  constructor(
    why: string,
    readonly reason: FailureReason,
    /** What it asked for by Retry-After, ms. */
    readonly retryAfterMs = 0,
    cause?: unknown,
    /** What it answered. */
    readonly status?: number,
  ) {
    super('CHATBOT_FAILED', `The recipient's chatbot ${why}`, { cause });
  }

  /** Whether it may have the message all the same. */
  get mayHaveIt(): boolean {
    return this.reason !== 'unreachable';
  }
}

/** The chatbot will never take the message as it is. */
export class ChatbotRefusedError extends FinalError {
  constructor(readonly status: number) {
    super('CHATBOT_REFUSED', `The recipient's chatbot refused the message with status ${status}`);
  }
}

/** Opened, but no text can be made of it: JSON.parse takes far deeper values than JSON.stringify. */
export class PayloadTooDeepError extends FinalError {
  constructor(cause: unknown) {
    const why = 'The payload is nested too deeply to be posted to the chatbot';
    super('PAYLOAD_TOO_DEEP', `${why}: its sender must nest it less`, { cause });
  }
}

/** Too early, too many, too slow (RFC 9110 15.5.9, RFC 8470 5.2, RFC 6585 4): the same request may succeed later. */
const PASSING = new Set([408, 425, 429]);

/** Nothing had been sent when these came. */
const BEFORE_SENDING = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
]);

/** What the chatbot gets of an opened message. Throws PayloadTooDeepError. */
export function bodyOf({ id, senderId, recipientId, timestamp, type }: Envelope, payload: unknown): string {
  try {
    return JSON.stringify({ id, senderId, recipientId, timestamp, type, payload });
  } catch (cause) {
    throw new PayloadTooDeepError(cause);
  }
}

/**
 * Posts what `bodyOf` made to the chatbot, in the given trace; resolves to the status, any 2xx. With `repeated` it is
 * told that it may have the message already. Throws ChatbotFailedError: no connection, no answer in time, 5xx, 408, 425 or 429. Throws
 * ChatbotRefusedError: any other answer.
 */
export async function postToChatbot(
  { endpoint, timeoutMs }: AgentConfig['chatbot'],
  body: string,
  repeated: boolean,
  trace?: TraceContext,
): Promise<number> {
  const { status, headers } = await post(
    endpoint,
    body,
    { ...(repeated && { 'x-dmr-redelivered': 'true' }), ...trace },
    timeoutMs,
  );
  if (status >= 200 && status <= 299) return status;
  if (status < 500 && !PASSING.has(status)) throw new ChatbotRefusedError(status);
  throw new ChatbotFailedError(
    `answered with status ${status}`,
    'status',
    millisecondsOf(headers['retry-after']),
    undefined,
    status,
  );
}

async function post(
  endpoint: string,
  body: string,
  headers: Record<string, string>,
  timeoutMs: number,
): Promise<Answer> {
  try {
    return await postJson(endpoint, body, headers, timeoutMs);
  } catch (cause) {
    if (cause instanceof AnswerLateError) {
      const reason = cause.unsent ? 'unreachable' : 'timeout';
      throw new ChatbotFailedError(`did not answer within ${timeoutMs} ms`, reason, 0, cause);
    }
    const unsent = BEFORE_SENDING.has(codeOf(cause));
    throw new ChatbotFailedError('cannot be reached', unsent ? 'unreachable' : 'broken', 0, cause);
  }
}

function codeOf(error: unknown): string {
  const { code, cause, errors } = (error ?? {}) as { code?: unknown; cause?: unknown; errors?: unknown[] };
  if (typeof code === 'string') return code;
  return cause === undefined && !errors ? '' : codeOf(cause ?? errors?.[0]);
}

/** Seconds or a date (RFC 9110 10.2.3). */
function millisecondsOf(retryAfter: string | undefined): number {
  if (!retryAfter) return 0;
  const ms = /^\d+$/.test(retryAfter) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}
