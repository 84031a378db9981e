/** Kind and labels of a metric, in the form moleculer-prometheus takes. */
export interface MetricDefinition {
  type: 'Counter' | 'Gauge' | 'Histogram';
  help: string;
  labelNames?: string[];
  /** Upper bounds, seconds. */
  buckets?: number[];
}

/** Metrics by name. */
export type Definitions = Record<string, MetricDefinition>;

export const counter = (help: string, ...labelNames: string[]): MetricDefinition => ({
  type: 'Counter',
  help,
  labelNames,
});

export const gauge = (help: string, ...labelNames: string[]): MetricDefinition => ({ type: 'Gauge', help, labelNames });

export const histogram = (help: string, buckets: number[], ...labelNames: string[]): MetricDefinition => ({
  type: 'Histogram',
  help,
  buckets,
  labelNames,
});

const CONNECTION_SECONDS = [1, 5, 15, 30, 60, 300, 900, 1800, 3600, 7200];
/** What an event or a request takes. */
export const PROCESSING_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** Metrics that both kinds of node have. */
export const commonMetrics: Definitions = {
  dmr_build_info: gauge('1, with the version of this process and what it runs as', 'version', 'role'),
  dmr_socket_connection_duration_seconds: histogram('How long a socket stayed connected', CONNECTION_SECONDS),
  dmr_socket_errors_total: counter('Socket errors: refused logins, failed connections, handler errors'),
  dmr_socket_events_received_total: counter('Events received over the socket', 'event', 'namespace'),
  dmr_socket_events_sent_total: counter('Events sent over the socket', 'event', 'namespace'),
  dmr_message_processing_duration_seconds: histogram(
    'From the arrival of an event to its answer',
    PROCESSING_SECONDS,
    'event',
  ),
};
