import type { ServiceBroker } from 'moleculer';
import type { AgentSessions } from '../../../lib/gateway/agent-sessions';
import { Neighbours } from '../../../lib/gateway/neighbours';

const login = { agentId: 'a', since: 5, nodeID: 'here' };
const gateway = (id: string) => ({ id, services: [{ name: 'gateway.io' }] });

/** A mesh in which other nodes give these answers; an error is one that does not come in time. */
function meshOf(answers: Record<string, unknown>) {
  const call = jest.fn((_action: string, _params: object, { nodeID }: { nodeID: string }) => {
    const answer = answers[nodeID];
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  });
  const registry = { getNodeList: () => ['here', ...Object.keys(answers)].map(gateway) };
  const broker = { nodeID: 'here', registry, call } as unknown as ServiceBroker;
  return { neighbours: new Neighbours(broker), call };
}

describe('a login that is announced to the other nodes', () => {
  it('waits for each of them a second at the most, and asks none twice', async () => {
    const { neighbours, call } = meshOf({ one: { newer: false }, two: new Error('timeout') });
    await expect(neighbours.takeOver(login)).resolves.toEqual({ newer: false, gone: [] });
    const options = { timeout: 1000, retries: 0 };
    expect(call.mock.calls).toEqual([
      ['gateway.io.drop', login, { ...options, nodeID: 'one' }],
      ['gateway.io.drop', login, { ...options, nodeID: 'two' }],
    ]);
  });

  it('hears of the ones that gave way, and of one that goes before it', async () => {
    const { neighbours } = meshOf({
      one: { newer: false, gone: '4 one' },
      two: { newer: true },
      three: { newer: false },
    });
    await expect(neighbours.takeOver(login)).resolves.toEqual({ newer: true, gone: ['4 one'] });
  });

  it('understands a node that only says whether there was one', async () => {
    const { neighbours } = meshOf({ one: true });
    await expect(neighbours.takeOver(login)).resolves.toEqual({ newer: false, gone: [] });
  });
});

describe('a comparison', () => {
  const other = { agentId: 'b', since: 5, nodeID: 'here' };
  const sessionsOf = (logins: object[]) => {
    const giveUp = jest.fn();
    return { sessions: { logins: () => logins, giveUp } as unknown as AgentSessions, giveUp };
  };

  it('ends the logins here that are older than elsewhere, by the word of whoever answers', async () => {
    const { neighbours } = meshOf({ one: new Error('timeout'), two: ['b'] });
    const { sessions, giveUp } = sessionsOf([login, other]);
    await neighbours.compare(sessions);
    expect(giveUp.mock.calls).toEqual([[[other]]]);
  });

  it('asks one node alone when only that was out of reach, and nobody when there is nothing to compare', async () => {
    const { neighbours, call } = meshOf({ one: [], two: [] });
    await neighbours.compare(sessionsOf([login]).sessions, 'two');
    expect(call.mock.calls.map(([, , { nodeID }]) => nodeID)).toEqual(['two']);
    await neighbours.compare(sessionsOf([]).sessions);
    expect(call).toHaveBeenCalledTimes(1);
  });
});
