import { FULL_LIST, PARTIAL_LIST } from '../protocol/events';
import type { Metrics } from '../telemetry/metrics';
import type { UplinkClient } from './uplink-client';

/** Counts what happens on the uplink: its state, its losses, the lists that arrive. */
export function countUplink(client: UplinkClient, namespace: string, metrics: Metrics): void {
  const received = (event: string) => metrics.inc('dmr_socket_events_received_total', { event, namespace });
  client.on('fullList', () => received(FULL_LIST));
  client.on('partialList', () => received(PARTIAL_LIST));
  client.on('connected', () => showConnection(metrics, 1));
  client.on('failed', () => metrics.inc('dmr_socket_errors_total'));
  client.on('disconnected', (ms) => {
    showConnection(metrics, 0);
    metrics.observe('dmr_socket_connection_duration_seconds', ms / 1000);
  });
  showConnection(metrics, 0);
}

/** Deployed documentation and deployed code spell the gauge differently; both are there. */
function showConnection(metrics: Metrics, up: 0 | 1): void {
  metrics.set('dmr_agent_socket_connection_active', up);
  metrics.set('dmr_socket_connection_active', up);
}
