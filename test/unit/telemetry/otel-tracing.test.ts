import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { TracingConfig } from '../../../lib/config/types';
import { OtelTracing } from '../../../lib/telemetry/otel-tracing';
import { makeCertificateFiles } from '../../helpers/certificates';
import { temporaryFolder } from '../../helpers/temporary-folder';
import { RecordingLog } from '../fakes';

const config: TracingConfig = {
  url: 'http://127.0.0.1:1/v1/traces',
  headers: { authorization: 'ours' },
  compression: 'none',
  tls: { ca: undefined, cert: undefined, key: undefined },
  timeoutMs: 5000,
  intervalMs: 60_000,
  ratio: 0,
  serviceName: 'test',
};

it('a span that cannot begin costs nobody anything: the context is passed on, and one line says so', async () => {
  const log = new RecordingLog();
  const tracing = new OtelTracing(config, 'node', log);
  const context = { traceparent: undefined as unknown as string };
  for (let times = 0; times < 2; times++) {
    const span = tracing.start('deliver', 'consumer', context);
    expect(span.context).toBe(context);
    span.event('sent');
    span.end({ attempt: 1 });
  }
  expect(log.at('warn')).toEqual([expect.stringMatching(/^a span could not begin/)]);
  await tracing.stop();
});

describe('the collector', () => {
  let server: Server;
  const requests: IncomingMessage[] = [];
  const env = process.env;

  const take: Parameters<typeof createServer>[1] = (request, response) => {
    requests.push(request.resume());
    response.end();
  };
  const files = makeCertificateFiles(temporaryFolder());
  const read = ({ certFile, keyFile }: (typeof files)['ca']) => ({
    cert: readFileSync(certFile, 'utf8'),
    key: readFileSync(keyFile, 'utf8'),
  });
  const ca = read(files.ca).cert;

  async function send(changes: Partial<TracingConfig>, scheme = 'http'): Promise<RecordingLog> {
    server.listen(0);
    await once(server, 'listening');
    const log = new RecordingLog();
    const url = `${scheme}://localhost:${(server.address() as AddressInfo).port}/v1/traces`;
    const tracing = new OtelTracing({ ...config, ratio: 1, ...changes, url }, 'node', log);
    tracing.start('deliver', 'consumer', undefined).end();
    await tracing.stop();
    return log;
  }

  beforeEach(() => {
    requests.length = 0;
    process.env = { ...env };
  });
  afterEach(() => {
    server.close();
    process.env = env;
  });

  it('gets what is configured, and nothing by variables that are in no table', async () => {
    Object.assign(process.env, {
      OTEL_EXPORTER_OTLP_TRACES_COMPRESSION: 'gzip',
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://127.0.0.1:1/elsewhere',
      OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: '1',
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'authorization=theirs',
    });
    server = createServer(take);
    await send({});
    expect(requests.map(({ headers }) => headers)).toEqual([expect.objectContaining({ authorization: 'ours' })]);
    expect(requests[0]?.headers).not.toHaveProperty('content-encoding');
  });

  it('gets batches that are compressed', async () => {
    server = createServer(take);
    await send({ compression: 'gzip' });
    expect(requests[0]?.headers).toMatchObject({ 'content-encoding': 'gzip' });
  });

  it('is believed by the certificate of its authority, and believes ours', async () => {
    server = createTlsServer({ ...read(files.server), ca, requestCert: true }, take);
    await send({ tls: { ca, ...read(files.client) } }, 'https');
    expect((requests[0]?.socket as TLSSocket).authorized).toBe(true);
  });

  it('gets nothing when its authority is not known', async () => {
    Object.assign(process.env, { OTEL_EXPORTER_OTLP_CERTIFICATE: files.ca.certFile });
    server = createTlsServer(read(files.server), take);
    const log = await send({}, 'https');
    expect(requests).toEqual([]);
    expect(log.at('warn')).toHaveLength(1);
    expect(JSON.stringify(log.lines)).not.toContain('ours');
  });
});
