/** Kinds and labels of every metric, in the form moleculer-prometheus takes. */
export interface MetricDefinition {
  type: 'Counter' | 'Gauge' | 'Histogram';
  help: string;
  labelNames?: string[];
  /** Upper bounds, seconds. */
  buckets?: number[];
}

type Definitions = Record<string, MetricDefinition>;

const CONNECTION_SECONDS = [1, 5, 15, 30, 60, 300, 900, 1800, 3600, 7200];
const PROCESSING_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

const counter = (help: string, ...labelNames: string[]): MetricDefinition => ({ type: 'Counter', help, labelNames });
const gauge = (help: string, ...labelNames: string[]): MetricDefinition => ({ type: 'Gauge', help, labelNames });
const histogram = (help: string, buckets: number[], ...labelNames: string[]): MetricDefinition => ({
  type: 'Histogram',
  help,
  buckets,
  labelNames,
});

const socketMetrics: Definitions = {
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

/** Metrics of a server node. */
export const serverMetrics: Definitions = {
  ...socketMetrics,
  dmr_socket_connections_active: gauge('Agents connected to this node'),
  dmr_socket_connections_total: counter('Logins since the start of this node'),
  dmr_socket_disconnections_total: counter('Lost or closed sockets since the start of this node'),
  dmr_logins_refused_total: counter('Refused logins', 'reason'),
  dmr_agents_slowed_total: counter('Times a socket was not read because its agent had too much in flight'),
  dmr_messages_accepted_total: counter('Messages confirmed by the broker and acknowledged to their sender'),
  dmr_messages_refused_total: counter('Messages refused to their sender', 'reason'),
  dmr_messages_delivered_total: counter('Messages acknowledged by their recipient'),
  dmr_messages_retried_total: counter('Tries after the first', 'reason'),
  dmr_messages_dead_lettered_total: counter('Messages put into a dead-letter queue by this node', 'reason'),
  dmr_validation_failures_total: counter('Messages put into validation-failures', 'type'),
  dmr_validation_failures_dropped_total: counter('Refused messages not kept, beyond VALIDATION_FAILURES_RATE_LIMIT'),
  dmr_dlq_messages: gauge('Messages ready in the dead-letter queue of an agent', 'agent'),
  dmr_validation_failures_messages: gauge('Messages ready in validation-failures'),
  dmr_queues_as_is: gauge('Queues that exist with other arguments than ours and are used as they are'),
  dmr_broker_connected: gauge('1 while the broker takes and gives messages, else 0'),
  dmr_agents_known: gauge('Agents listed by CentOps'),
  dmr_centops_suspicious: gauge(
    'Agents that CentOps lacks and that only an operator may take away, see config-sync.sync',
  ),
  dmr_centops_whole: gauge('1 while the last look at CentOps gave a whole list, else 0'),
};

/** Metrics of an agent. */
export const agentMetrics: Definitions = {
  ...socketMetrics,
  dmr_http_requests_total: counter('Requests to the REST interface', 'method', 'route'),
  dmr_http_success_total: counter('Requests answered with a status below 400', 'method', 'route', 'status'),
  dmr_http_errors_total: counter('Requests answered with a status from 400', 'method', 'route', 'status'),
  dmr_http_request_duration_seconds: histogram(
    'From request to answer',
    PROCESSING_SECONDS,
    'method',
    'route',
    'status',
  ),
  dmr_agent_socket_connection_active: gauge('1 while the uplink is connected, else 0'),
  dmr_socket_connection_active: gauge('The same under the name of the deployed code'),
  dmr_messages_sent_total: counter('Messages that the server took'),
  dmr_outbox_messages: gauge('Messages posted with Prefer: respond-async that wait for the server'),
  dmr_outbox_failed_total: counter('Such messages that will not be sent any more', 'reason'),
  dmr_messages_received_total: counter('Messages that the chatbot took'),
  dmr_messages_rejected_total: counter('Messages answered with an error', 'type'),
  dmr_chatbot_failures_total: counter('POSTs that the chatbot did not take and that are tried again', 'reason'),
  dmr_chatbot_available: gauge('0 while POSTs to the chatbot go out one at a time because it fails, else 1'),
  dmr_duplicate_window_entries: gauge('Messages remembered on disk so that a copy is dropped'),
  dmr_duplicates_dropped_total: counter('Messages that had been delivered before'),
};
