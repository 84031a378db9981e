import { watchGateway } from '../../../lib/gateway/gateway-metrics';
import type { AgentSessions } from '../../../lib/gateway/agent-sessions';
import type { AgentConsumers } from '../../../lib/router/agent-consumers';
import { countingMetrics } from '../fakes';

describe('the gauges of a gateway', () => {
  const { metrics, counted } = countingMetrics(['a', 'b', 'elsewhere']);
  const consumed = new Map([
    ['a', 3],
    ['elsewhere', 9],
  ]);
  const consumers = {
    isConsuming: (id: string) => consumed.has(id),
    inFlight: (id: string) => consumed.get(id),
  } as unknown as AgentConsumers;
  const sessions = { all: () => [{ agentId: 'a' }, { agentId: 'b' }, { agentId: 'left the list' }] };
  const state = { accepting: 7, isLeaving: false };
  const end = watchGateway(sessions as unknown as AgentSessions, consumers, () => state, metrics);
  afterAll(end);

  it('tell of the agents with a socket here, as long as they are listed', () => {
    metrics.read();
    expect(counted).toEqual({
      dmr_socket_connections_active: 3,
      'dmr_messages_in_flight{direction="up"}': 7,
      dmr_node_draining: 0,
      'dmr_agent_connected{agent="a"}': 1,
      'dmr_agent_connected{agent="b"}': 1,
      'dmr_agent_consuming{agent="a"}': 1,
      'dmr_agent_consuming{agent="b"}': 0,
      'dmr_agent_in_flight{agent="a"}': 3,
      'dmr_agent_in_flight{agent="b"}': 0,
    });
  });

  it('tell of a node that lets nobody in', () => {
    state.isLeaving = true;
    metrics.read();
    expect(counted).toMatchObject({ dmr_node_draining: 1 });
  });
});
