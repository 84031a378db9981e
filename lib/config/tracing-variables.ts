import { pemFile } from './file-rules';
import { isAnyPrivateKey, isCertificate } from './formats';
import { keyValues, milliseconds, oneOf, ratio, requestUrl, text } from './rules';
import type { Variables } from './variable';

/** Read by servers and agents; the names are OpenTelemetry's own. */
export const tracingVariables = (serviceName: string) =>
  ({
    OTEL_EXPORTER_OTLP_ENDPOINT: {
      doc: 'Collector of traces, OTLP over HTTP; `/v1/traces` is put behind it. Without it nothing is traced, and the context of a trace is passed on.',
      rule: requestUrl(),
      example: 'http://localhost:4318',
    },
    OTEL_EXPORTER_OTLP_HEADERS: {
      doc: 'Headers for the collector, such as its credentials: `name=value`, separated by commas, values percent-encoded.',
      rule: keyValues(),
      secret: true,
    },
    OTEL_EXPORTER_OTLP_COMPRESSION: {
      doc: 'Whether batches of spans are compressed.',
      rule: oneOf('none', 'gzip'),
      default: 'none',
    },
    OTEL_EXPORTER_OTLP_CERTIFICATE: {
      doc: 'Certificate of the authority that the collector is trusted by, in place of those that Node.js knows.',
      rule: pemFile('a certificate', isCertificate),
    },
    OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: {
      doc: 'Certificate by which this node proves to the collector who it is.',
      rule: pemFile('a certificate', isCertificate),
    },
    OTEL_EXPORTER_OTLP_CLIENT_KEY: {
      doc: 'Private key of that certificate.',
      rule: pemFile('a private key without a passphrase', isAnyPrivateKey),
    },
    OTEL_EXPORTER_OTLP_TIMEOUT: {
      doc: 'How long one batch of spans is tried, ms; what the collector has not taken by then is dropped.',
      rule: milliseconds(),
      default: '10000',
    },
    OTEL_BSP_SCHEDULE_DELAY: {
      doc: 'Pause between two batches of spans, ms.',
      rule: milliseconds(),
      default: '5000',
    },
    OTEL_TRACES_SAMPLER_ARG: {
      doc: 'Which part of the traces that begin here is recorded; a trace that comes in has been decided on already.',
      rule: ratio(),
      default: '1',
    },
    OTEL_SERVICE_NAME: {
      doc: 'What this node is called in its spans.',
      rule: text('a name'),
      default: serviceName,
    },
  }) as const satisfies Variables;
