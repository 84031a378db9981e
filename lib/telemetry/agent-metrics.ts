import { commonMetrics, counter, gauge, histogram, PROCESSING_SECONDS, type Definitions } from './metric-definition';

const CRYPTO_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];
const CHATBOT_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

const httpMetrics: Definitions = {
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
};

const sendingMetrics: Definitions = {
  dmr_agent_socket_connection_active: gauge('1 while the uplink is connected, else 0'),
  dmr_socket_connection_active: gauge('The same under the name of the deployed code'),
  dmr_agent_key_listed: gauge('1 for the key of this agent that CentOps lists, or for none of them, else 0', 'key'),
  dmr_messages_sent_total: counter('Messages that the server took'),
  dmr_outbox_messages: gauge('Messages posted with Prefer: respond-async that wait for the server'),
  dmr_outbox_oldest_seconds: gauge('How long the oldest of them has waited, 0 when there is none'),
  dmr_outbox_failed_total: counter('Such messages that will not be sent any more', 'reason'),
  dmr_agent_disk_writable: gauge('0 from a write that the disk refused until it has room for as much, else 1'),
  dmr_seal_duration_seconds: histogram('What sealing a message takes', CRYPTO_SECONDS),
};

const receivingMetrics: Definitions = {
  dmr_messages_received_total: counter('Messages that the chatbot took'),
  dmr_messages_rejected_total: counter('Messages answered with an error', 'type'),
  dmr_open_duration_seconds: histogram('What opening a sealed message takes', CRYPTO_SECONDS),
  dmr_chatbot_duration_seconds: histogram(
    'From a POST to the chatbot to its answer, or to its failure',
    CHATBOT_SECONDS,
  ),
  dmr_chatbot_failures_total: counter('POSTs that the chatbot did not take and that are tried again', 'reason'),
  dmr_chatbot_available: gauge('0 while nothing but probes goes to the chatbot because it fails, else 1'),
  dmr_duplicate_window_entries: gauge('Messages remembered on disk so that a copy is dropped'),
  dmr_duplicates_dropped_total: counter('Messages that had been delivered before'),
};

/** Metrics of an agent. */
export const agentMetrics: Definitions = {
  ...commonMetrics,
  ...httpMetrics,
  ...sendingMetrics,
  ...receivingMetrics,
};
