import type { Envelope } from '../protocol/envelope';
import { messageAttributes, socketHop } from '../telemetry/span-attributes';
import { inTrace, traceContextOf } from '../telemetry/trace-context';
import type { Span, Tracing } from '../telemetry/tracing';
import type { Attempt } from './attempt';

/** One span for all tries to hand an envelope to the server, with an event for what came of each. */
export class SendSpan {
  /** What goes up: the same with every try, in this span. */
  readonly envelope: Envelope;
  private readonly span: Span;
  private tries = 0;

  constructor(tracing: Tracing, envelope: Envelope) {
    const attributes = { ...socketHop('send'), ...messageAttributes(envelope) };
    this.span = tracing.start('send to server', 'producer', traceContextOf(envelope), attributes);
    this.envelope = inTrace(envelope, this.span.context);
  }

  tried(attempt: Attempt): void {
    this.tries += 1;
    this.span.event('tried', { try: this.tries, result: attempt.result, ...codeOf(attempt) });
  }

  /** `error`: why the server does not have it, or may not have it. */
  end(error?: string): void {
    this.span.end({ 'dmr.tries': this.tries, 'dmr.outcome': error === undefined ? 'taken' : 'not taken' }, error);
  }
}

function codeOf(attempt: Attempt): { code?: string } {
  return 'error' in attempt ? { code: attempt.error.code } : {};
}
