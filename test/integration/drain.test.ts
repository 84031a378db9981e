import type { Drained } from '../../lib/gateway/agent-gateway';
import { startCentOps, type CentOps } from '../helpers/centops';
import { DeployedAgent } from '../helpers/deployed-agent';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { LeavingAgent } from '../helpers/leaving-agent';
import { startServerNode, type ServerNode } from '../helpers/mesh';
import { useVhost } from '../helpers/rabbitmq';

const { amqp } = useVhost();

const tax = makeIdentity('Tax Office');
const police = makeIdentity('Police');

describe('a node that is drained', () => {
  let centOps: CentOps;
  let nodes: ServerNode[] = [];
  let agents: LeavingAgent[] = [];

  beforeEach(async () => {
    centOps = await startCentOps([tax, police]);
    const env = { AGENT_LIST_GRACE_MS: '10', DRAIN_TIMEOUT_MS: '3000', CONFIRM_TIMEOUT_MS: '8000' };
    nodes = await Promise.all([0, 1].map(() => startServerNode(amqp, centOps.url, { env })));
    await eventually(async () => (await nodes[0]?.broker.call('gateway.io.state', {}, at(1))) !== undefined);
    await eventually(async () => (await nodes[1]?.broker.call('gateway.io.state', {}, at(0))) !== undefined);
  });

  afterEach(async () => {
    for (const agent of agents) agent.close();
    agents = [];
    await Promise.all(nodes.map((node) => node.stop()));
    await centOps.close();
  });

  const at = (index: number) => ({ nodeID: nodes[index]?.broker.nodeID });
  const drain = (index: number, params: object = {}) =>
    nodes[1 - index]?.broker.call<Drained, object>('gateway.io.drain', params, at(index));
  const health = async (index: number) => {
    const response = await fetch(`${nodes[index]?.url}/v1/health`);
    const { parts } = (await response.json()) as { parts: { leaving: { ok: boolean } } };
    return { status: response.status, leaving: !parts.leaving.ok };
  };

  it('sends its agents to the others without an error, and goes on running', async () => {
    const urls = nodes.map(({ url }) => url);
    agents = await Promise.all([LeavingAgent.start(tax, urls, 0), LeavingAgent.start(police, urls, 1)]);
    const [from, to] = agents as [LeavingAgent, LeavingAgent];
    let isOver = false;
    const load = (async () => {
      while (!isOver) await Promise.all([from.send(to.id), to.send(from.id)]);
    })();
    await eventually(() => from.accepted.length > 20);
    expect(await drain(0)).toEqual({ agents: 1, stayed: 0 });
    const before = from.accepted.length;
    await eventually(() => from.accepted.length > before + 20);
    isOver = true;
    await load;
    expect([...from.failures, ...to.failures]).toEqual([]);
    await eventually(() => expect(new Set(to.received)).toEqual(new Set(from.accepted)));
    await eventually(() => expect(new Set(from.received)).toEqual(new Set(to.accepted)));
    expect(await nodes[1]?.broker.call('gateway.io.state', {}, at(1))).toEqual({
      leaving: false,
      ready: true,
      agents: 2,
    });
    expect(await health(0)).toMatchObject({ status: 503, leaving: true });
    // All else of it goes on.
    expect(await nodes[1]?.broker.call('router.routes', {}, at(0))).toMatchObject({ silentNodes: [] });
  });

  it('refuses logins until that is undone, and can be drained again', async () => {
    await drain(0);
    const url = nodes[0]?.url ?? '';
    const refused = await DeployedAgent.start({ url, identity: tax });
    await eventually(() => refused.connectErrors.length > 0);
    refused.close();
    await drain(0, { undo: true });
    expect(await health(0)).toMatchObject({ status: 200 });
    const agent = await (await DeployedAgent.start({ url, identity: tax })).ready();
    agent.close();
    expect(await drain(0)).toMatchObject({ stayed: 0 });
    expect(await health(0)).toMatchObject({ status: 503 });
  });

  it('is not the last one, unless it must be; two at the same time are not each the other one', async () => {
    await drain(0);
    await expect(drain(1)).rejects.toMatchObject({ code: 'LAST_GATEWAY' });
    expect(await health(1)).toMatchObject({ status: 200 });
    await drain(1, { force: true });
    expect(await health(1)).toMatchObject({ status: 503 });
    await Promise.all([drain(0, { undo: true }), drain(1, { undo: true })]);
    const results = await Promise.allSettled([drain(0), drain(1)]);
    expect(results.filter(({ status }) => status === 'rejected').length).toBeGreaterThan(0);
    expect((await Promise.all([health(0), health(1)])).map(({ status }) => status)).toContain(200);
  });

  it('stops as any other, and lets nobody in again then', async () => {
    await drain(0);
    const node = nodes[0];
    const gateway = (
      node?.broker.getLocalService('gateway.io') as unknown as { gateway: { comeBack(): Promise<void> } }
    ).gateway;
    await node?.stop();
    await expect(gateway.comeBack()).rejects.toMatchObject({ code: 'NODE_STOPPING' });
  });
});
