import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { eventually } from './eventually';

type Value = string | number | boolean;
type Attributes = Record<string, Value>;

/** One span as a collector got it. */
export interface ReceivedSpan {
  name: string;
  traceId: string;
  spanId: string;
  /** Empty for a root. */
  parent: string;
  /** SpanKind of OTLP: 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  kind: number;
  attributes: Attributes;
  events: { name: string; attributes: Attributes }[];
  failed: boolean;
  /** `service.name` and `service.instance.id` of the node. */
  service: string;
  node: string;
}

/** A collector: takes OTLP over HTTP as JSON (https://opentelemetry.io/docs/specs/otlp/#otlphttp). */
export class OtlpReceiver {
  readonly spans: ReceivedSpan[] = [];
  /** As they came in. */
  readonly bodies: string[] = [];
  readonly headers: IncomingHttpHeaders[] = [];
  url = '';
  /** `hang` reads and never answers. */
  mode: 'take' | 'hang' | 'refuse' = 'take';
  private readonly server = createServer((request, response) => {
    void text(request).then((body) => {
      this.bodies.push(body);
      this.headers.push(request.headers);
      if (this.mode === 'hang') return;
      if (this.mode === 'refuse' || request.url !== '/v1/traces') return void response.writeHead(400).end();
      this.spans.push(...spansOf(JSON.parse(body) as Export));
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });

  static async start(): Promise<OtlpReceiver> {
    const receiver = new OtlpReceiver();
    receiver.server.listen(0, '127.0.0.1');
    await once(receiver.server, 'listening');
    receiver.url = `http://127.0.0.1:${(receiver.server.address() as AddressInfo).port}`;
    return receiver;
  }

  /** What a node needs to send its spans here, and soon. */
  get env(): NodeJS.ProcessEnv {
    return { OTEL_EXPORTER_OTLP_ENDPOINT: this.url, OTEL_BSP_SCHEDULE_DELAY: '50' };
  }

  /** The spans of one trace, as soon as every name is among them as often as it stands there. */
  async trace(traceId: string, names: string[]): Promise<ReceivedSpan[]> {
    return eventually(() => {
      const spans = this.spans.filter((span) => span.traceId === traceId);
      const got = spans.map(({ name }) => name).sort();
      if (JSON.stringify(got) === JSON.stringify([...names].sort())) return spans;
      throw new Error(`The trace ${traceId} has the spans ${got.join(', ') || 'none'}`);
    });
  }

  async close(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }
}

interface KeyValue {
  key: string;
  value: { stringValue?: string; intValue?: number | string; doubleValue?: number; boolValue?: boolean };
}

interface OtlpSpan {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  kind: number;
  attributes: KeyValue[];
  events?: { name: string; attributes?: KeyValue[] }[];
  status?: { code?: number };
}

interface Export {
  resourceSpans: { resource: { attributes: KeyValue[] }; scopeSpans: { spans: OtlpSpan[] }[] }[];
}

function spansOf({ resourceSpans }: Export): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const { 'service.name': service = '', 'service.instance.id': node = '' } = attributesOf(resource.attributes);
    return scopeSpans
      .flatMap(({ spans }) => spans)
      .map((span) => ({
        ...{ name: span.name, traceId: span.traceId, spanId: span.spanId, kind: span.kind },
        parent: span.parentSpanId ?? '',
        attributes: attributesOf(span.attributes),
        events: (span.events ?? []).map(({ name, attributes }) => ({ name, attributes: attributesOf(attributes) })),
        failed: span.status?.code === 2,
        ...{ service: String(service), node: String(node) },
      }));
  });
}

function attributesOf(list: KeyValue[] = []): Attributes {
  return Object.fromEntries(
    list.map(({ key, value: { stringValue, intValue, doubleValue, boolValue } }) => {
      const number = intValue === undefined ? doubleValue : Number(intValue);
      return [key, stringValue ?? number ?? boolValue ?? ''];
    }),
  );
}
