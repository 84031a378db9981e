import { OtelTracing } from '../../../lib/telemetry/otel-tracing';
import { RecordingLog } from '../fakes';

const config = {
  url: 'http://127.0.0.1:1/v1/traces',
  headers: {},
  timeoutMs: 100,
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
