import { commonMetrics, counter, gauge, histogram, type Definitions } from './metric-definition';

const LATENCY_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
const CONFIRM_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

const socketMetrics: Definitions = {
  dmr_socket_connections_active: gauge('Agents connected to this node'),
  dmr_socket_connections_total: counter('Logins since the start of this node'),
  dmr_socket_disconnections_total: counter('Lost or closed sockets since the start of this node'),
  dmr_logins_refused_total: counter('Refused logins', 'reason'),
  dmr_agents_slowed_total: counter('Times a socket was not read because its agent had too much in flight'),
  dmr_node_draining: gauge('1 while this node lets no agents in because it was drained or is about to stop, else 0'),
};

const messageMetrics: Definitions = {
  dmr_messages_accepted_total: counter('Messages confirmed by the broker and acknowledged to their sender', 'agent'),
  dmr_messages_refused_total: counter('Messages refused to their sender', 'reason'),
  dmr_messages_delivered_total: counter('Messages acknowledged by their recipient', 'agent'),
  dmr_messages_retried_total: counter('Tries after the first, by recipient', 'agent', 'reason'),
  dmr_messages_dead_lettered_total: counter(
    'Messages that this node put into the dead-letter queue of their recipient',
    'agent',
    'reason',
  ),
  dmr_validation_failures_total: counter('Messages put into validation-failures', 'type'),
  dmr_validation_failures_dropped_total: counter('Refused messages not kept, beyond VALIDATION_FAILURES_RATE_LIMIT'),
  dmr_message_latency_seconds: histogram(
    "From the acceptance of a message by a server to its recipient's ack, replayed ones left out",
    LATENCY_SECONDS,
  ),
  dmr_confirm_latency_seconds: histogram('From a publication to its confirm by the broker', CONFIRM_SECONDS),
  dmr_messages_in_flight: gauge('Messages taken up and not confirmed yet, sent down and not answered yet', 'direction'),
};

const agentStateMetrics: Definitions = {
  dmr_agents_known: gauge('Agents listed by CentOps'),
  dmr_agent_info: gauge('1 for each listed agent, with its name', 'agent', 'name'),
  dmr_agent_connected: gauge('1 for each agent whose socket this node holds', 'agent'),
  dmr_agent_consuming: gauge('1 while the queue of an agent with a socket here is consumed, else 0', 'agent'),
  dmr_agent_in_flight: gauge('Messages on their way to an agent with a socket here', 'agent'),
  dmr_agent_certificate_expiry_timestamp_seconds: gauge(
    'When the X.509 certificate that CentOps lists for the agent expires, Unix time',
    'agent',
  ),
};

const queueMetrics: Definitions = {
  dmr_queue_messages: gauge('Messages ready in the queue of an agent', 'agent'),
  dmr_queue_oldest_seconds: gauge('Age of the oldest message in the queue of an agent, 0 when empty', 'agent'),
  dmr_queue_ttl_seconds: gauge('Lifetime of a message in the queue of an agent'),
  dmr_dlq_messages: gauge('Messages ready in the dead-letter queue of an agent', 'agent'),
  dmr_dlq_oldest_seconds: gauge(
    'Age of the oldest message in the dead-letter queue of an agent, 0 when empty',
    'agent',
  ),
  dmr_dlq_departed_messages: gauge('Messages ready in the dead-letter queues of agents that left, in all'),
  dmr_dlq_departed_oldest_seconds: gauge('Age of the oldest of them, 0 when there is none'),
  dmr_dlq_ttl_seconds: gauge('Lifetime of a message in a dead-letter queue'),
  dmr_dlq_replayed_total: counter('Dead letters put back into the queue of their agent', 'agent'),
  dmr_dlq_purged_total: counter('Dead letters deleted by an operator', 'agent'),
  dmr_validation_failures_messages: gauge('Messages ready in validation-failures'),
  dmr_queues_as_is: gauge('Queues that exist with other arguments than ours and are used as they are'),
};

const surroundingMetrics: Definitions = {
  dmr_broker_connected: gauge('1 while the broker takes and gives messages, else 0'),
  dmr_broker_connection_open: gauge('1 while this connection to the broker is open, else 0', 'use'),
  dmr_broker_blocked: gauge('1 while the broker takes no messages because of a memory or disk alarm, else 0'),
  dmr_centops_sync_age_seconds: gauge('Time since the last look at CentOps that gave a whole list'),
  dmr_centops_looks_total: counter('Looks at CentOps, by what they gave', 'result'),
  dmr_centops_suspicious: gauge(
    'Agents that CentOps lacks and that only an operator may take away, see config-sync.sync',
  ),
  dmr_centops_whole: gauge('1 while the last look at CentOps gave a whole list, else 0'),
};

/** Metrics of a server node. */
export const serverMetrics: Definitions = {
  ...commonMetrics,
  ...socketMetrics,
  ...messageMetrics,
  ...agentStateMetrics,
  ...queueMetrics,
  ...surroundingMetrics,
};
