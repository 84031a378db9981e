import { AgentDirectory } from '../../../lib/agents/directory';
import type { NodeRouter } from '../../../lib/router/node-router';
import { watchRouter } from '../../../lib/router/router-metrics';
import { makeIdentity, toAgentRecord } from '../../helpers/keys';
import { countingMetrics } from '../fakes';

const agent = makeIdentity('x'.repeat(1000));
const UP = { publish: true, consume: true, admin: true, blocked: false };

describe('the gauges of a router', () => {
  const { metrics, counted } = countingMetrics([agent.id]);
  const directory = new AgentDirectory();
  directory.replace([toAgentRecord(agent)]);
  const router = { directory, consumers: { totalInFlight: 5 }, connections: () => connections };
  let connections = UP;
  watchRouter(router as unknown as NodeRouter, metrics);

  it('tell of the list and of what is under way; a name is cut', () => {
    metrics.read();
    expect(counted).toMatchObject({
      dmr_agents_known: 1,
      'dmr_messages_in_flight{direction="down"}': 5,
      [`dmr_agent_info{agent="${agent.id}",name="${'x'.repeat(100)}"}`]: 1,
    });
  });

  it.each([
    [UP, { connected: 1, publish: 1, consume: 1, admin: 1, blocked: 0 }],
    [{ ...UP, publish: false }, { connected: 0, publish: 0, consume: 1, admin: 1, blocked: 0 }],
    [{ ...UP, consume: false }, { connected: 0, publish: 1, consume: 0, admin: 1, blocked: 0 }],
    // Messages come and go without it.
    [{ ...UP, admin: false }, { connected: 1, publish: 1, consume: 1, admin: 0, blocked: 0 }],
    [{ ...UP, blocked: true }, { connected: 0, publish: 1, consume: 1, admin: 1, blocked: 1 }],
  ])('tell of the broker: %p', (state, { connected, blocked, ...open }) => {
    connections = state;
    metrics.read();
    expect(counted).toMatchObject({ dmr_broker_connected: connected, dmr_broker_blocked: blocked });
    for (const [use, value] of Object.entries(open)) {
      expect(counted[`dmr_broker_connection_open{use="${use}"}`]).toBe(value);
    }
  });
});
