import { inspect } from 'node:util';

/**
 * Base of every error that this project throws on purpose: `code` is stable and safe to switch on, `retryable` says
 * whether the same attempt can succeed later, and the message says who must do what. No secret ever goes into it.
 */
export class DmrError extends Error {
  readonly retryable: boolean = false;

  constructor(
    readonly code: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The attempt failed for a reason that can pass by itself: the broker is away, a confirm is late. */
export class RetryableError extends DmrError {
  override readonly retryable = true;
}

/** The same attempt will fail again until somebody changes something. */
export class FinalError extends DmrError {}

/** The text of anything that was thrown, for a log line, with the system's code (ECONNREFUSED, CERT_HAS_EXPIRED) where one lies below. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return textOf(error);
  const message = textOf(error.message);
  const code = systemCode(error.cause);
  return code === undefined || message.includes(code) ? message : `${message} (${code})`;
}

/** Not `String`: not every object can be converted. What is in one is not shown. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : inspect(value, { depth: -1, customInspect: false });
}

function systemCode(cause: unknown): string | undefined {
  if (!(cause instanceof Error)) return undefined;
  const { code } = cause as { code?: unknown };
  return typeof code === 'string' && /^[A-Z][A-Z\d_]+$/.test(code) ? code : systemCode(cause.cause);
}
