import { CertificateExpiries } from '../agents/certificate-expiries';
import type { AgentRecord } from '../agents/agent-record';
import type { Metrics } from '../telemetry/metrics';
import type { NodeRouter } from './node-router';

const DOWN = { direction: 'down' };
/** A name is for people, and one that is long helps nobody. */
const LONGEST_NAME = 100;

/** Has the gauges of a router set each time the metrics are read; returns what ends that. */
export function watchRouter(router: NodeRouter, metrics: Metrics): () => void {
  const expiries = new CertificateExpiries();
  return metrics.collect('of the router', () => {
    showConnections(router, metrics);
    const agents = router.directory.list();
    metrics.set('dmr_messages_in_flight', router.consumers.totalInFlight, DOWN);
    metrics.set('dmr_agents_known', agents.length);
    metrics.replace('dmr_agent_info', agents.map(infoOf));
    const expiring = expiries.of(agents).map(({ id, at }) => [{ agent: id }, at] as const);
    metrics.replace('dmr_agent_certificate_expiry_timestamp_seconds', expiring);
  });
}

function showConnections(router: NodeRouter, metrics: Metrics): void {
  const { blocked, ...open } = router.connections();
  for (const [use, isOpen] of Object.entries(open)) metrics.set('dmr_broker_connection_open', isOpen ? 1 : 0, { use });
  metrics.set('dmr_broker_blocked', blocked ? 1 : 0);
  metrics.set('dmr_broker_connected', open.publish && !blocked && open.consume ? 1 : 0);
}

function infoOf({ id, name }: AgentRecord) {
  return [{ agent: id, name: name.slice(0, LONGEST_NAME) }, 1] as const;
}
