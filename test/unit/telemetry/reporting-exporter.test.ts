import type { SpanExporter } from '@opentelemetry/sdk-trace';
import { reportingExporter } from '../../../lib/telemetry/reporting-exporter';
import { RecordingLog } from '../fakes';

const [TAKEN, FAILED] = [0, 1];

it('tells once that the collector takes nothing, and once that it does again', () => {
  const log = new RecordingLog();
  const codes = [TAKEN, FAILED, FAILED, FAILED, TAKEN, TAKEN, FAILED];
  const collector: SpanExporter = {
    export: (_spans, done) => done({ code: codes.shift() ?? TAKEN, error: new Error('ECONNREFUSED') }),
    shutdown: () => Promise.resolve(),
  };
  const results: number[] = [];
  const exporter = reportingExporter(collector, log);
  for (let batch = 0; batch < 7; batch++) exporter.export([], ({ code }) => results.push(code));
  expect(results).toEqual([TAKEN, FAILED, FAILED, FAILED, TAKEN, TAKEN, FAILED]);
  const told = log.lines.map(({ level, context }) => [level, (context as { event: string }).event]);
  expect(told).toEqual([
    ['warn', 'collector-away'],
    ['info', 'collector-back'],
    ['warn', 'collector-away'],
  ]);
});

it('takes an exporter that throws for a collector that takes nothing', () => {
  const log = new RecordingLog();
  const broken = () => {
    throw new Error('broken');
  };
  const exporter = reportingExporter({ export: broken, shutdown: () => Promise.resolve() }, log);
  const done = jest.fn();
  exporter.export([], done);
  expect(done).toHaveBeenCalledWith({ code: FAILED, error: new Error('broken') });
  expect(log.at('warn')).toHaveLength(1);
});
