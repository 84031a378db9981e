import type { SpanExporter } from '@opentelemetry/sdk-trace';
import { messageOf } from '../errors';
import type { Log } from '../log';

/** ExportResultCode.SUCCESS of OpenTelemetry. */
const SUCCESS = 0;
/** ExportResultCode.FAILED. */
const FAILED = 1;

/** Tells once that the collector takes nothing, and once that it does again: its absence is nobody's error but its own. */
export function reportingExporter(exporter: SpanExporter, log: Log): SpanExporter {
  let isAway = false;
  const note = (code: number, error?: Error) => {
    const failed = code !== SUCCESS;
    if (failed && !isAway) {
      log.warn(`the collector takes no spans, they are dropped: ${messageOf(error)}`, { event: 'collector-away' });
    }
    if (!failed && isAway) log.info('the collector takes spans again', { event: 'collector-back' });
    isAway = failed;
  };
  return {
    export: (spans, done) => {
      const end = (result: { code: number; error?: Error }) => {
        note(result.code, result.error);
        done(result);
      };
      try {
        exporter.export(spans, end);
      } catch (error) {
        end({ code: FAILED, error: error instanceof Error ? error : new Error(messageOf(error)) });
      }
    },
    shutdown: () => exporter.shutdown(),
  };
}
