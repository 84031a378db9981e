import { DmrError } from '../errors';
import type { RuleViolation } from '../protocol/chat-message';

/** What a caller of our HTTP interface is told when its request is not served. */
export interface Problem {
  status: number;
  code: string;
  message: string;
  /** Every violated rule, of a request that breaks any. */
  errors?: RuleViolation[];
  /** Becomes the header Retry-After, s. */
  retryAfterS?: number;
}

/** An error that already knows its HTTP status. */
export class HttpError extends DmrError {
  constructor(
    readonly status: number,
    code: string,
    message: string,
    readonly errors?: RuleViolation[],
    /** When to come again, s (RFC 9110, 10.2.3). */
    readonly retryAfterS?: number,
  ) {
    super(code, message);
  }
}

const UNREADABLE: Problem = { status: 400, code: 'BAD_REQUEST', message: 'The request cannot be read' };

// What moleculer-web and body-parser say, by its `type`; their own texts may quote the body, so they are not passed on.
const requestProblems = new Map<unknown, Problem>(
  Object.entries({
    NOT_FOUND: { status: 404, code: 'NOT_FOUND', message: 'There is nothing at this path' },
    UNABLE_DECODE_PARAM: { ...UNREADABLE, message: 'The path cannot be decoded: percent signs must encode UTF-8' },
    'request.aborted': UNREADABLE,
    'request.size.invalid': UNREADABLE,
    'entity.too.large': { status: 413, code: 'BODY_TOO_LARGE', message: 'The body is larger than 100 kB' },
    'entity.parse.failed': { status: 400, code: 'BODY_NOT_JSON', message: 'The body is not valid JSON' },
    'encoding.unsupported': {
      status: 415,
      code: 'ENCODING_UNSUPPORTED',
      message: 'The content encoding is not supported',
    },
    'charset.unsupported': { status: 415, code: 'CHARSET_UNSUPPORTED', message: 'The charset must be UTF-8' },
  }),
);

/** The one place that turns anything thrown into an HTTP answer; what is not known becomes a 500 without detail. */
export function problemOf(error: unknown): Problem {
  if (error instanceof HttpError) {
    const { status, code, message, errors, retryAfterS } = error;
    return { status, code, message, errors, ...(retryAfterS !== undefined && { retryAfterS }) };
  }
  const { type, status, code } = (error ?? {}) as { type?: unknown; status?: unknown; code?: unknown };
  const known = requestProblems.get(type);
  if (known) return known;
  // Of a body that does not decompress only the code of zlib is left.
  if (typeof code === 'string' && code.startsWith('Z_')) return UNREADABLE;
  if (typeof status === 'number' && status >= 400 && status < 500) return { ...UNREADABLE, status };
  return { status: 500, code: 'INTERNAL', message: 'Something failed inside; the log of this node says what' };
}
