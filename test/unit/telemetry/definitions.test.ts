import {
  agentMetrics,
  serverMetrics,
  type Definitions,
  type MetricDefinition,
} from '../../../lib/telemetry/definitions';

const all: [string, MetricDefinition][] = [...Object.entries(serverMetrics), ...Object.entries(agentMetrics)];

/** `name Type label,label`, in the order of the names. */
const listed = (metrics: Definitions) =>
  Object.entries(metrics)
    .map(([name, { type, labelNames = [] }]) => [name, type, labelNames.join()].join(' ').trim())
    .sort();

/** What operators have in their alerts and dashboards: a change here breaks them. */
const COMMON = `
dmr_build_info Gauge version,role
dmr_socket_connection_duration_seconds Histogram
dmr_socket_errors_total Counter
dmr_socket_events_received_total Counter event,namespace
dmr_socket_events_sent_total Counter event,namespace
dmr_message_processing_duration_seconds Histogram event`;

const SERVER = `${COMMON}
dmr_socket_connections_active Gauge
dmr_socket_connections_total Counter
dmr_socket_disconnections_total Counter
dmr_logins_refused_total Counter reason
dmr_agents_slowed_total Counter
dmr_node_draining Gauge
dmr_messages_accepted_total Counter agent
dmr_messages_refused_total Counter reason
dmr_messages_delivered_total Counter agent
dmr_messages_retried_total Counter agent,reason
dmr_messages_dead_lettered_total Counter agent,reason
dmr_validation_failures_total Counter type
dmr_validation_failures_dropped_total Counter
dmr_message_latency_seconds Histogram
dmr_confirm_latency_seconds Histogram
dmr_messages_in_flight Gauge direction
dmr_agents_known Gauge
dmr_agent_info Gauge agent,name
dmr_agent_connected Gauge agent
dmr_agent_consuming Gauge agent
dmr_agent_in_flight Gauge agent
dmr_agent_certificate_expiry_timestamp_seconds Gauge agent
dmr_queue_messages Gauge agent
dmr_queue_oldest_seconds Gauge agent
dmr_queue_ttl_seconds Gauge
dmr_dlq_messages Gauge agent
dmr_dlq_oldest_seconds Gauge agent
dmr_dlq_departed_messages Gauge
dmr_dlq_departed_oldest_seconds Gauge
dmr_dlq_ttl_seconds Gauge
dmr_dlq_replayed_total Counter agent
dmr_dlq_purged_total Counter agent
dmr_validation_failures_messages Gauge
dmr_queues_as_is Gauge
dmr_broker_connected Gauge
dmr_broker_connection_open Gauge use
dmr_broker_blocked Gauge
dmr_centops_sync_age_seconds Gauge
dmr_centops_looks_total Counter result
dmr_centops_suspicious Gauge
dmr_centops_whole Gauge`;

const AGENT = `${COMMON}
dmr_http_requests_total Counter method,route
dmr_http_success_total Counter method,route,status
dmr_http_errors_total Counter method,route,status
dmr_http_request_duration_seconds Histogram method,route,status
dmr_agent_socket_connection_active Gauge
dmr_socket_connection_active Gauge
dmr_agent_key_listed Gauge key
dmr_agent_disk_writable Gauge
dmr_messages_sent_total Counter
dmr_outbox_messages Gauge
dmr_outbox_oldest_seconds Gauge
dmr_outbox_failed_total Counter reason
dmr_seal_duration_seconds Histogram
dmr_messages_received_total Counter
dmr_messages_rejected_total Counter type
dmr_open_duration_seconds Histogram
dmr_chatbot_duration_seconds Histogram
dmr_chatbot_failures_total Counter reason
dmr_chatbot_available Gauge
dmr_duplicate_window_entries Gauge
dmr_duplicates_dropped_total Counter`;

describe('the metrics', () => {
  it.each([
    ['a server', serverMetrics, SERVER],
    ['an agent', agentMetrics, AGENT],
  ])('of %s have these names, types and labels', (_node, metrics, expected) => {
    expect(listed(metrics)).toEqual(expected.trim().split('\n').sort());
  });

  it.each(all)('%s is named as Prometheus has it', (name, { type, help, buckets }) => {
    expect(name).toMatch(/^dmr_[a-z_]+$/);
    expect(name.endsWith('_total')).toBe(type === 'Counter');
    if (type === 'Histogram') expect(name).toMatch(/_seconds$/);
    expect(buckets !== undefined).toBe(type === 'Histogram');
    expect(buckets ?? []).toEqual([...(buckets ?? [])].sort((a, b) => a - b));
    expect(help).not.toBe('');
  });

  it('that both kinds of node have are the same', () => {
    const shared = Object.keys(serverMetrics).filter((name) => name in agentMetrics);
    expect(shared).toContain('dmr_socket_errors_total');
    for (const name of shared) expect(agentMetrics[name]).toEqual(serverMetrics[name]);
  });

  it('that were there before have the buckets that they had', () => {
    expect(serverMetrics.dmr_socket_connection_duration_seconds?.buckets).toEqual([
      1, 5, 15, 30, 60, 300, 900, 1800, 3600, 7200,
    ]);
    const processing = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
    expect(serverMetrics.dmr_message_processing_duration_seconds?.buckets).toEqual(processing);
    expect(agentMetrics.dmr_http_request_duration_seconds?.buckets).toEqual(processing);
  });

  it('of latency reach from 5 ms to 5 minutes', () => {
    const buckets = serverMetrics.dmr_message_latency_seconds?.buckets ?? [];
    expect([buckets[0], buckets.at(-1)]).toEqual([0.005, 300]);
  });
});
