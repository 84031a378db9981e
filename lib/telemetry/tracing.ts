import type { TraceContext } from './trace-context';

/** Ids, counts, codes: never a payload, a token or a key, and no text that somebody sent. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** Made only where somebody traces: what is not looked at must not cost a message anything. */
export type MadeAttributes = Attributes | (() => Attributes);

export type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer';

/** One piece of work of a trace; to be ended exactly once, whatever became of it. */
export interface Span {
  /** What to pass on: this span as the parent; where nothing is traced, what came in. */
  readonly context: TraceContext | undefined;
  set(attributes: MadeAttributes): void;
  event(name: string, attributes?: Attributes): void;
  /** `error`: the code of what went wrong. */
  end(attributes?: Attributes, error?: string): void;
}

/** Begins spans; no method throws or waits for a collector. */
export interface Tracing {
  start(name: string, kind: SpanKind, parent: TraceContext | undefined, attributes?: MadeAttributes): Span;
  /** Sends what is left, for a bounded time. */
  stop(): Promise<void>;
}

/** Of a node that traces nothing: the context passes through. */
export const noTracing: Tracing = {
  start: (_name, _kind, parent) => new PassedOn(parent),
  stop: () => Promise.resolve(),
};

class PassedOn implements Span {
  constructor(readonly context: TraceContext | undefined) {}
  set(): void {}
  event(): void {}
  end(): void {}
}
