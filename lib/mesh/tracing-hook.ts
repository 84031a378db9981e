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
      if (config) perBroker.set(broker, new OtelTracing(config, broker.nodeID, broker.getLogger('tracing')));
    },
    async stopped(broker: ServiceBroker) {
      await tracingOf(broker).stop();
    },
  };
}
