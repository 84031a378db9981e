import { setTimeout as delay } from 'node:timers/promises';
import {
  createTraceState,
  ROOT_CONTEXT,
  SpanKind as OtelKind,
  SpanStatusCode,
  trace,
  type Context,
  type Span as OtelSpan,
  type Tracer,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { TracingConfig } from '../config/types';
import { messageOf } from '../errors';
import type { Log } from '../log';
import { reportingExporter } from './reporting-exporter';
import type { TraceContext } from './trace-context';
import { noTracing, type Attributes, type MadeAttributes, type Span, type SpanKind, type Tracing } from './tracing';

/** Spans beyond it are dropped: a collector that is away must cost neither memory nor messages. */
const MOST_SPANS = 4096;
const STOP_LIMIT_MS = 2000;

const KINDS: Record<SpanKind, OtelKind> = {
  internal: OtelKind.INTERNAL,
  server: OtelKind.SERVER,
  client: OtelKind.CLIENT,
  producer: OtelKind.PRODUCER,
  consumer: OtelKind.CONSUMER,
};

/**
 * Spans by OpenTelemetry, sent in batches as OTLP over HTTP. The parent is given with each span: no global provider, no
 * context kept behind the caller's back, so a node costs what its spans cost.
 */
export class OtelTracing implements Tracing {
  private readonly provider: TracerProvider;
  private readonly tracer: Tracer;
  private hasFailed = false;

  constructor(
    config: TracingConfig,
    nodeID: string,
    private readonly log: Log,
  ) {
    const { timeoutMs, intervalMs, ratio, serviceName } = config;
    const exporter = reportingExporter(exporterFor(config), log);
    const batches = new BatchSpanProcessor({
      exporter,
      maxQueueSize: MOST_SPANS,
      scheduledDelayMillis: intervalMs,
      exportTimeoutMillis: timeoutMs,
    });
    this.provider = new TracerProvider({
      // Resource conventions: https://opentelemetry.io/docs/specs/semconv/resource/
      resource: resourceFromAttributes({ 'service.name': serviceName, 'service.instance.id': nodeID }),
      sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
      spanProcessors: [batches],
    });
    this.tracer = this.provider.getTracer('dmr');
  }

  start(name: string, kind: SpanKind, parent: TraceContext | undefined, attributes?: MadeAttributes): Span {
    try {
      const options = { kind: KINDS[kind], attributes: made(attributes) };
      const span = this.tracer.startSpan(name, options, contextOf(parent));
      return new RecordedSpan(span, parent?.tracestate);
    } catch (error) {
      this.warn(error);
      return noTracing.start(name, kind, parent);
    }
  }

  /** Once: what is wrong with one span is wrong with all of its kind. */
  private warn(error: unknown): void {
    if (!this.hasFailed) this.log.warn(`a span could not begin, its trace goes on without it: ${messageOf(error)}`);
    this.hasFailed = true;
  }

  async stop(): Promise<void> {
    const flushed = this.provider.shutdown().catch(() => undefined); // told by the exporter
    await Promise.race([flushed, delay(STOP_LIMIT_MS, undefined, { ref: false })]);
  }
}

type ExporterOptions = NonNullable<ConstructorParameters<typeof OTLPTraceExporter>[0]>;

/** Everything is given, also what is nothing: the exporter would look for it in variables that nobody checks. */
function exporterFor({ url, headers, compression, tls, timeoutMs }: TracingConfig): OTLPTraceExporter {
  return new OTLPTraceExporter({
    url,
    headers,
    compression: compression as ExporterOptions['compression'],
    httpAgentOptions: { keepAlive: true, ...tls },
    timeoutMillis: timeoutMs,
  });
}

class RecordedSpan implements Span {
  readonly context: TraceContext;

  constructor(
    private readonly span: OtelSpan,
    tracestate: string | undefined,
  ) {
    const { traceId, spanId, traceFlags } = span.spanContext();
    const traceparent = `00-${traceId}-${spanId}-0${traceFlags & 1}`;
    this.context = tracestate === undefined ? { traceparent } : { traceparent, tracestate };
  }

  set(attributes: MadeAttributes): void {
    this.span.setAttributes(made(attributes));
  }

  event(name: string, attributes?: Attributes): void {
    this.span.addEvent(name, attributes);
  }

  end(attributes?: Attributes, error?: string): void {
    if (attributes) this.span.setAttributes(attributes);
    if (error !== undefined) {
      this.span.setAttribute('error.type', error);
      this.span.setStatus({ code: SpanStatusCode.ERROR });
    }
    this.span.end();
  }
}

function made<T extends MadeAttributes | undefined>(attributes: T): Exclude<T, () => Attributes> {
  return (typeof attributes === 'function' ? attributes() : attributes) as Exclude<T, () => Attributes>;
}

function contextOf(parent: TraceContext | undefined): Context {
  if (!parent) return ROOT_CONTEXT;
  const [, traceId, spanId, flags] = parent.traceparent.split('-') as [string, string, string, string];
  const traceState = parent.tracestate === undefined ? undefined : createTraceState(parent.tracestate);
  const traceFlags = Number.parseInt(flags, 16) & 1;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, traceState, isRemote: true });
}
