import { ServiceBroker, type LoggerInstance } from 'moleculer';
import type { TracingConfig } from '../../../lib/config/types';
import { tracingHook, tracingOf } from '../../../lib/mesh/tracing-hook';
import { RecordingLog } from '../fakes';

it('a node whose exporter cannot begin runs all the same, says so, and shows nothing of the collector', async () => {
  const log = new RecordingLog();
  const config: TracingConfig = {
    url: 'no address?token=secret',
    headers: { authorization: 'secret' },
    compression: 'none',
    tls: { ca: undefined, cert: undefined, key: undefined },
    timeoutMs: 100,
    intervalMs: 100,
    ratio: 1,
    serviceName: 'test',
  };
  const withLog = {
    created(broker: ServiceBroker) {
      broker.getLogger = () => log as unknown as LoggerInstance;
    },
  };
  const broker = new ServiceBroker({ logger: false, middlewares: [withLog, tracingHook(config)] });
  await broker.start();
  expect(log.at('warn')).toEqual([expect.stringMatching(/^nothing is traced/)]);
  expect(JSON.stringify(log.lines)).not.toContain('secret');
  const context = { traceparent: '00-' };
  expect(tracingOf(broker).start('deliver', 'consumer', context).context).toBe(context);
  await broker.stop();
});
