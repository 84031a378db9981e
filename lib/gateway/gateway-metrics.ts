import type { AgentConsumers } from '../router/agent-consumers';
import type { Labels, Metrics } from '../telemetry/metrics';
import type { AgentSessions } from './agent-sessions';

const UP = { direction: 'up' };

/** What the gauges say beside the sessions. */
interface State {
  /** Messages up that are not answered yet. */
  accepting: number;
  isLeaving: boolean;
}

/** Has the gauges of a gateway set each time the metrics are read; returns what ends that. */
export function watchGateway(
  sessions: AgentSessions,
  consumers: AgentConsumers,
  state: () => State,
  metrics: Metrics,
): () => void {
  return metrics.collect('of the gateway', () => {
    const agents = sessions.all().map(({ agentId }) => agentId);
    const each = (value: (agentId: string) => number) =>
      agents.map((agent): readonly [Labels, number] => [{ agent }, value(agent)]);
    metrics.set('dmr_socket_connections_active', agents.length);
    const { accepting, isLeaving } = state();
    metrics.set('dmr_messages_in_flight', accepting, UP);
    metrics.set('dmr_node_draining', isLeaving ? 1 : 0);
    metrics.replace(
      'dmr_agent_connected',
      each(() => 1),
    );
    metrics.replace(
      'dmr_agent_consuming',
      each((agentId) => (consumers.isConsuming(agentId) ? 1 : 0)),
    );
    metrics.replace(
      'dmr_agent_in_flight',
      each((agentId) => consumers.inFlight(agentId) ?? 0),
    );
  });
}
