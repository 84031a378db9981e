import type { Middleware, ServiceBroker } from 'moleculer';
import type { TracingConfig } from '../config/types';
import { OtelTracing } from '../telemetry/otel-tracing';
import { noTracing, type Tracing } from '../telemetry/tracing';

const perBroker = new WeakMap<ServiceBroker, Tracing>();

/** Where all services of one broker begin their spans. */
export function tracingOf(broker: ServiceBroker): Tracing {
  return perBroker.get(broker) ?? noTracing;
}

/** Traces from before the first service is made until after the last has stopped. */
export function tracingHook(config: TracingConfig | undefined): Middleware {
  return {
    created(broker: ServiceBroker) {
      if (!config) return;
      const log = broker.getLogger('tracing');
      try {
        perBroker.set(broker, new OtelTracing(config, broker.nodeID, log));
      } catch (error) {
        // Its message is not shown: there may be what the collector's address or headers hold.
        const kind = error instanceof Error ? error.name : typeof error;
        log.warn(`nothing is traced, the exporter cannot begin (${kind}): check OTEL_EXPORTER_OTLP_*`);
      }
    },
    async stopped(broker: ServiceBroker) {
      await tracingOf(broker).stop();
    },
  };
}
