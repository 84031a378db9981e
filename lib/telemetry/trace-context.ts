/**
 * Which trace something belongs to, in the words of W3C Trace Context (https://www.w3.org/TR/trace-context/): as headers
 * of a request, and as fields of an envelope (docs/protocol.md, Extensions). Good for correlation and for nothing else:
 * nobody signs it.
 */
export interface TraceContext {
  /** `00-<32 hex>-<16 hex>-<2 hex>`, in lower case. */
  readonly traceparent: string;
  /** Printable ASCII and tabs, at most 512 characters. */
  readonly tracestate?: string;
}

/** Section 3.2.2.3; of a later version only the fields that this one knows are read. */
const TRACEPARENT = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-[\x20-\x7e]*)?$/;
const LONGEST_TRACEPARENT = 256;
/** Section 3.3.1.3: members `key=value`, with spaces and tabs around them; nothing else may stand in a header. */
const KEY = String.raw`[\da-z][\da-z_\-*/@]{0,255}`;
const MEMBER = new RegExp(String.raw`^${KEY}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$`);
const LONGEST_TRACESTATE = 512;
const MOST_MEMBERS = 32;

/** The context that headers or an envelope carry; undefined for none and for one that is not valid. Never throws. */
export function traceContextOf(carrier: unknown): TraceContext | undefined {
  const { traceparent, tracestate } = (carrier ?? {}) as { traceparent?: unknown; tracestate?: unknown };
  const parent = parentOf(traceparent);
  if (parent === undefined) return undefined;
  const state = stateOf(tracestate);
  return state === undefined ? { traceparent: parent } : { traceparent: parent, tracestate: state };
}

/** The id of a context's trace, 32 hex digits; undefined for no context. */
export function traceIdOf(carrier: unknown): string | undefined {
  return traceContextOf(carrier)?.traceparent.slice(3, 35);
}

/** What a log line says of the trace: `traceId`, when there is one. */
export function traceField(carrier: unknown): { traceId?: string } {
  const traceId = traceIdOf(carrier);
  return traceId === undefined ? {} : { traceId };
}

/** The same envelope in this context, or in none; what was there is never passed on beside it. */
export function inTrace<T extends object>(envelope: T, context: TraceContext | undefined): T {
  const carried = envelope as T & { traceparent?: unknown; tracestate?: unknown };
  if (carried.traceparent === context?.traceparent && carried.tracestate === context?.tracestate) return envelope;
  const { traceparent: _parent, tracestate: _state, ...rest } = carried;
  return { ...rest, ...context } as unknown as T;
}

function parentOf(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length > LONGEST_TRACEPARENT) return undefined;
  const [, version, traceId, spanId, flags, more] = TRACEPARENT.exec(value) ?? [];
  if (version === undefined || version === 'ff' || (version === '00' && more !== undefined)) return undefined;
  if (isZero(traceId) || isZero(spanId)) return undefined;
  return version === '00' ? value : `00-${traceId}-${spanId}-${flags}`;
}

/** All of it or nothing: what breaks the rules, or is too long, is left out, and the parent counts all the same. */
function stateOf(value: unknown): string | undefined {
  if (typeof value !== 'string' || value === '' || value.length > LONGEST_TRACESTATE) return undefined;
  const members = value.split(',').map((member) => member.replaceAll(/^[ \t]+|[ \t]+$/g, ''));
  const isValid = members.length <= MOST_MEMBERS && members.every((member) => member === '' || MEMBER.test(member));
  return isValid && members.some(Boolean) ? value : undefined;
}

function isZero(id: string | undefined): boolean {
  return id === undefined || /^0+$/.test(id);
}
