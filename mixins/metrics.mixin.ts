import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Server } from 'node:http';
import { MetricReporters, type Service, type ServiceBroker, type ServiceSchema } from 'moleculer';
import PrometheusService from 'moleculer-prometheus';
import type { NodeConfig } from '../lib/config/types';
import { defineMixin } from '../lib/define-service';
import { messageOf } from '../lib/errors';
import { drainHttp } from '../lib/http/drain';
import { operationsServer } from '../lib/http/operations-route';
import { othersStopped } from '../lib/mesh/last-to-stop';
import { inMesh, meshConnected } from '../lib/mesh/nodes';
import type { Definitions } from '../lib/telemetry/definitions';
import { Metrics } from '../lib/telemetry/metrics';
import { addTally, boundsOf, forgetAgents, forgetDefaults, type Metric } from '../lib/telemetry/series';
import { ownVersion } from '../lib/telemetry/version';

/** How long a scrape that is under way may take when the node stops. */
const DRAIN_MS = 1000;

interface MetricsService extends Service {
  register: { metrics(options?: { timestamps: boolean }): string };
  metrics: Record<string, Metric>;
  server: unknown;
  operations: Server | undefined;
  update(name: string, method: string, labels: object | null, value: number): void;
  moleculer: MoleculerMetricsText;
  open(metrics: Metrics): void;
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

/** The library opens an HTTP server of its own; ours is served elsewhere, so it gets one that never listens. */
const noServer = () => ({ get: () => undefined, listen: () => Promise.resolve(), server: { close: () => undefined } });

// Metrics that the library feeds from an event that only a legacy exporter sends.
const neverFed = { moleculer_req_total: null, moleculer_req_errors_total: null, moleculer_req_duration_ms: null };

/**
 * Collects everything a process has to say in the Prometheus text format: the given metrics, those of the process and
 * Moleculer's. Action `metrics.text` renders them. They are served by the HTTP service of the node on its port, or with
 * METRICS_PORT by this one, health beside them.
 */
export function metricsService(
  definitions: Definitions,
  role: 'server' | 'agent',
  { port, metricsPort }: NodeConfig & { port: number; metricsPort?: number },
): ServiceSchema {
  return {
    name: 'metrics',
    mixins: [ownServer(metricsPort), collector(role), PrometheusService],
    settings: { port: metricsPort ?? port, metrics: { ...definitions, ...neverFed } },
  };
}

const collector = (role: string) =>
  defineMixin<MetricsService>({
    actions: {
      text: {
        visibility: 'public',
        handler(this: MetricsService) {
          metricsOf(this.broker).read();
          return `${this.register.metrics({ timestamps: false })}\n${this.moleculer.generatePrometheusResponse()}\n`;
        },
      },
    },
    methods: {
      open(this: MetricsService, metrics: Metrics) {
        const update = this.update.bind(this);
        metrics.attach((name, method, labels, value) => update(name, method, labels ?? null, value), {
          clear: (name) => this.metrics[name]?.reset(),
          bounds: (name) => boundsOf(this.metrics[name]),
          add: (name, labels, tally) => addTally(this.metrics[name], tally, labels),
          forget: (agents) => forgetAgents(this.metrics, agents),
          failed: (name, error) => this.logger.error(`the metric ${name} could not be updated: ${messageOf(error)}`),
        });
      },
    },
    created(this: MetricsService) {
      this.server = noServer();
    },
    started(this: MetricsService) {
      const { broker } = this;
      this.moleculer = new MoleculerMetricsText({ excludes: ['os.**', 'process.**'] });
      this.moleculer.init(broker.metrics);
      forgetDefaults(this.metrics);
      const metrics = metricsOf(broker);
      this.open(metrics);
      metrics.set('dmr_build_info', 1, { version: ownVersion(), role });
      if (!inMesh(broker)) return;
      const use = { use: 'transporter' };
      metrics.collect('of the transporter', () =>
        metrics.set('dmr_broker_connection_open', meshConnected(broker) ? 1 : 0, use),
      );
    },
    stopped(this: MetricsService) {
      metricsOf(this.broker).detach();
    },
  });

const ownServer = (port: number | undefined) =>
  defineMixin<MetricsService>({
    async started(this: MetricsService) {
      if (port === undefined) return;
      this.operations = operationsServer(this.broker);
      this.operations.listen(port);
      await once(this.operations, 'listening');
      this.operations.on('error', (error) => this.logger.error(`metrics and health: ${error.message}`));
      const { port: own } = this.operations.address() as AddressInfo;
      this.logger.info(`metrics and health on port ${own}`);
    },
    /** First of all that this service does to stop: what the others do to stop is what operators want to see. */
    async stopped(this: MetricsService) {
      await othersStopped(this.broker);
      if (this.operations) await drainHttp(this.operations, DRAIN_MS);
    },
  });
