import { MetricReporters, type Service, type ServiceBroker, type ServiceSchema } from 'moleculer';
import PrometheusService from 'moleculer-prometheus';
import { defineMixin } from '../lib/define-service';
import type { MetricDefinition } from '../lib/telemetry/definitions';
import { Metrics } from '../lib/telemetry/metrics';

interface Registry {
  metrics(options?: { timestamps: boolean }): string;
}

interface MetricsService extends Service {
  register: Registry;
  server: unknown;
  update(name: string, method: string, labels: object | null, value: number): void;
  moleculer: { generatePrometheusResponse(): string };
}

/** Moleculer's own Prometheus renderer without its HTTP server. */
class MoleculerMetricsText extends (MetricReporters.Prometheus as unknown as new (options: object) => {
  opts: { defaultLabels(registry: unknown): object };
  defaultLabels: object;
  init(registry: unknown): void;
  generatePrometheusResponse(): string;
}) {
  override init(registry: unknown): void {
    MetricReporters.Base.prototype.init.call(this, registry as never);
    this.defaultLabels = this.opts.defaultLabels.call(this, registry);
  }
}

const perBroker = new WeakMap<ServiceBroker, Metrics>();

/** Where all services of one broker count. */
export function metricsOf(broker: ServiceBroker): Metrics {
  let metrics = perBroker.get(broker);
  if (!metrics) perBroker.set(broker, (metrics = new Metrics()));
  return metrics;
}

/** The library opens an HTTP server of its own; ours is served on PORT, so it gets one that never listens. */
const noServer = () => ({ get: () => undefined, listen: () => Promise.resolve(), server: { close: () => undefined } });

// Metrics that the library feeds from an event that only a legacy exporter sends.
const neverFed = { moleculer_req_total: null, moleculer_req_errors_total: null, moleculer_req_duration_ms: null };

/**
 * Collects everything a process has to say in the Prometheus text format: the given metrics, those of the process and
 * Moleculer's. Action `metrics.text` renders them; the HTTP service of the node serves them on `port`.
 */
export function metricsService(definitions: Record<string, MetricDefinition>, port: number): ServiceSchema {
  return {
    name: 'metrics',
    mixins: [collector, PrometheusService],
    settings: { port, metrics: { ...definitions, ...neverFed } },
  };
}

const collector = defineMixin<MetricsService>({
  actions: {
    text: {
      visibility: 'public',
      handler(this: MetricsService) {
        return `${this.register.metrics({ timestamps: false })}\n${this.moleculer.generatePrometheusResponse()}\n`;
      },
    },
  },
  created(this: MetricsService) {
    this.server = noServer();
  },
  started(this: MetricsService) {
    this.moleculer = new MoleculerMetricsText({ excludes: ['os.**', 'process.**'] });
    (this.moleculer as MoleculerMetricsText).init(this.broker.metrics);
    metricsOf(this.broker).attach((name, method, labels, value) => this.update(name, method, labels ?? null, value));
  },
  stopped(this: MetricsService) {
    metricsOf(this.broker).detach();
  },
});
