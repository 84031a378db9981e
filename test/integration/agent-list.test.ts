import type { AgentSnapshot } from '../../lib/agents/agent-record';
import { startCentOps, type CentOps } from '../helpers/centops';
import { DeployedAgent } from '../helpers/deployed-agent';
import { eventually } from '../helpers/eventually';
import { makeIdentity, type AgentIdentity } from '../helpers/keys';
import { startServerNode, untilHealthy, type ServerNode } from '../helpers/mesh';
import { useVhost } from '../helpers/rabbitmq';
import type { SyncResult } from '../../services/server/config-sync.service';

const { amqp, management } = useVhost();

const tax = makeIdentity('Tax Office');
const police = makeIdentity('Police');
const health = makeIdentity('Health Board');

describe("the agent list of CentOps'", () => {
  let centOps: CentOps;
  const started: { stop(): Promise<void> }[] = [];
  const agents: DeployedAgent[] = [];

  beforeEach(async () => {
    centOps = await startCentOps([tax, police]);
  });

  afterEach(async () => {
    for (const agent of agents.splice(0)) agent.close();
    for (const node of started.splice(0)) await node.stop();
    await centOps.close();
  });

  async function startServer(env: NodeJS.ProcessEnv = {}, url = centOps.url): Promise<ServerNode> {
    // Most tests are not about the time that a removal takes.
    const node = await startServerNode(amqp, url, {
      env: { CENTOPS_REMOVE_AFTER_MS: '0', ...env },
      waitUntilHealthy: false,
    });
    started.push(node);
    return node;
  }

  async function login(identity: AgentIdentity, server: ServerNode): Promise<DeployedAgent> {
    const agent = await DeployedAgent.start({ url: server.url, identity });
    agents.push(agent);
    return agent.ready();
  }

  const known = async (server: ServerNode) => {
    const response = await fetch(`${server.url}/v1/health`);
    const { parts } = (await response.json()) as { parts: { agents: { known: number } } };
    return parts.agents.known;
  };
  const sync = (server: ServerNode) => server.broker.call<SyncResult, object>('config-sync.sync', {});

  it('is read in the flat shape', async () => {
    const server = await startServer();
    await eventually(async () => (await known(server)) === 2);
    const agent = await login(tax, server);
    expect([...agent.peers.keys()].sort()).toEqual([tax.id, police.id].sort());
  });

  it('is read in the paged shape, all pages, with key and secret', async () => {
    centOps.agents = [tax, police, health];
    const env = { CENTOPS_CONFIGURATION_API_KEY: centOps.apiKey, CENTOPS_CONFIGURATION_API_SECRET: centOps.apiSecret };
    const server = await startServer(env, centOps.pagedUrl);
    await eventually(async () => (await known(server)) === 3);
    expect(centOps.requests.map(({ page, authorized }) => [page, authorized])).toEqual([
      [1, true],
      [2, true],
    ]);
  });

  it('is read again on the cron', async () => {
    const server = await startServer({ CENTOPS_CONFIGURATION_CRON_TIME: '* * * * * *' });
    await eventually(async () => (await known(server)) === 2);
    centOps.agents = [tax, police, health];
    await eventually(async () => (await known(server)) === 3);
  });

  it('declares both queues of every agent, and of one that is added later', async () => {
    const server = await startServer();
    const newcomer = makeIdentity('Newcomer');
    const names = async () => (await management.queues()).map(({ name }) => name);
    await eventually(async () => expect(await names()).toEqual(expect.arrayContaining([tax.id, `${police.id}.dlq`])));
    expect(await names()).not.toContain(newcomer.id);
    centOps.agents = [tax, police, newcomer];
    expect(await sync(server)).toEqual({ ok: true, agents: 3, added: 1, changed: 0, removed: 0, missing: 0 });
    await eventually(async () =>
      expect(await names()).toEqual(expect.arrayContaining([newcomer.id, `${newcomer.id}.dlq`])),
    );
  });

  it('reaches connected agents as a partial list when it changes, removals marked', async () => {
    const server = await startServer();
    await eventually(async () => (await known(server)) === 2);
    const agent = await login(tax, server);
    centOps.agents = [tax, health];
    await sync(server);
    await agent.until(({ peers }) => peers.has(health.id)); // it reads the list before it takes it
    expect(agent.errors).toEqual([]);
    expect([...agent.peers.keys()].sort()).toEqual([tax.id, health.id].sort());
  });

  it('drops the socket of an agent that left, and lets it in no more', async () => {
    const server = await startServer();
    await eventually(async () => (await known(server)) === 2);
    const agent = await login(police, server);
    centOps.agents = [tax];
    await sync(server);
    await agent.until(({ disconnects, connectErrors }) => disconnects.length > 0 && connectErrors.length > 0);
    expect(agent.connectErrors[0]?.message).toMatch(/not listed/);
  });

  it('drops the socket of an agent whose key changed', async () => {
    const server = await startServer();
    await eventually(async () => (await known(server)) === 2);
    const agent = await login(police, server);
    centOps.agents = [tax, { ...makeIdentity('Police'), id: police.id }];
    await sync(server);
    await agent.until(({ disconnects, connectErrors }) => disconnects.length > 0 && connectErrors.length > 0);
    expect(agent.connectErrors[0]?.message).toMatch(/signature/);
  });

  it.each([
    ['refused', { kind: 'status', status: 500 }],
    ['cut off', { kind: 'invalid-json' }],
    ['empty', { kind: 'empty' }],
    ['half valid', { kind: 'half-valid' }],
    ['huge', { kind: 'huge', bytes: 21_000_000 }],
    ['somewhere else', { kind: 'redirect', to: 'http://127.0.0.1:1/agents' }],
    ['never there', { kind: 'hang' }],
  ] as const)('loses nobody when the answer is %s', async (_what, failure) => {
    const server = await startServer();
    await eventually(async () => (await known(server)) === 2);
    const agent = await login(police, server);
    centOps.failWith(failure);
    await sync(server);
    expect(await known(server)).toBe(2);
    expect(agent.connected).toBe(true);
    expect((await management.queues()).map(({ name }) => name)).toContain(police.id);
  });

  describe('when it shrinks', () => {
    const others = ['One', 'Two', 'Three', 'Four'].map(makeIdentity);
    const metric = async (server: ServerNode, name: string) => {
      const text = await (await fetch(`${server.url}/metrics`)).text();
      return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
    };

    it('lets an agent go only after every answer lacked it for long enough, and looks by itself', async () => {
      const server = await startServer({ CENTOPS_REMOVE_AFTER_MS: '2000' });
      await eventually(async () => (await known(server)) === 2);
      const agent = await login(police, server);
      centOps.agents = [tax];
      const before = centOps.requests.length;
      const began = Date.now();
      expect(await sync(server)).toMatchObject({ ok: true, agents: 2, removed: 0, missing: 1 });
      await agent.until(({ disconnects }) => disconnects.length > 0);
      expect(Date.now() - began).toBeGreaterThanOrEqual(2000);
      expect(centOps.requests.length - before).toBeGreaterThanOrEqual(3);
      expect(await known(server)).toBe(1);
    });

    it('keeps an agent that is missing now and then, with its socket', async () => {
      const server = await startServer({ CENTOPS_REMOVE_AFTER_MS: '900' });
      await eventually(async () => (await known(server)) === 2);
      const agent = await login(police, server);
      for (let time = 0; time < 3; time++) {
        centOps.agents = [tax];
        const seen = centOps.requests.length;
        await sync(server);
        await eventually(() => centOps.requests.length >= seen + 2);
        centOps.agents = [tax, police];
        await sync(server);
      }
      expect(await sync(server)).toMatchObject({ agents: 2, missing: 0 });
      expect(agent.disconnects).toEqual([]);
    });

    it('keeps everybody when most are missing, until an operator accepts it', async () => {
      centOps.agents = [tax, police, ...others];
      const server = await startServer();
      await eventually(async () => (await known(server)) === 6);
      const agent = await login(police, server);
      centOps.agents = [tax];
      for (let look = 0; look < 4; look++) {
        expect(await sync(server)).toMatchObject({ agents: 6, removed: 0, missing: 5 });
      }
      expect(await metric(server, 'dmr_centops_suspicious')).toBe(5);
      expect(agent.connected).toBe(true);
      const accepted = await server.broker.call<SyncResult, object>('config-sync.sync', { accept: true });
      expect(accepted).toMatchObject({ agents: 1, removed: 5, missing: 0 });
      await agent.until(({ disconnects }) => disconnects.length > 0);
      expect(await metric(server, 'dmr_centops_suspicious')).toBe(0);
    });

    it('is right again when CentOps lists them again', async () => {
      centOps.agents = [tax, police, ...others];
      const server = await startServer();
      await eventually(async () => (await known(server)) === 6);
      centOps.agents = [tax];
      await sync(server);
      centOps.agents = [tax, police, ...others];
      expect(await sync(server)).toMatchObject({ agents: 6, missing: 0 });
      expect(await metric(server, 'dmr_centops_suspicious')).toBe(0);
    });
  });

  it('with a changed key drops the socket on another node and tells everybody there', async () => {
    const first = await startServer();
    const second = await startServer();
    for (const server of [first, second]) await eventually(async () => (await known(server)) === 2);
    const moved = await login(police, second);
    const witness = await login(tax, second);
    const rekeyed = makeIdentity('Police');
    // Only the first node looks again: the second has to be told.
    centOps.agents = [tax, { ...rekeyed, id: police.id }];
    await sync(first);
    await moved.until(({ disconnects, connectErrors }) => disconnects.length > 0 && connectErrors.length > 0);
    expect(moved.connectErrors[0]?.message).toMatch(/signature/);
    await witness.until(({ partialLists }) => partialLists.length > 0);
    expect(JSON.stringify(witness.partialLists)).toContain(JSON.stringify(rekeyed.publicKeyPem).slice(1, -1));
    expect(JSON.stringify(witness.partialLists)).not.toContain('listedAt');
    expect(witness.disconnects).toEqual([]);
    await login({ ...rekeyed, id: police.id }, second);
  });

  it('keeps the node unhealthy and closed until it is there, then opens it without help', async () => {
    centOps.failWith({ kind: 'status', status: 503 });
    const server = await startServer();
    const response = await fetch(`${server.url}/v1/health`);
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ status: 'unavailable', parts: { agents: { ok: false } } });
    expect((await fetch(`${server.url}/v1/health/live`)).status).toBe(200);
    const agent = await DeployedAgent.start({ url: server.url, identity: tax, reconnectDelayMs: 200 });
    agents.push(agent);
    await agent.until(({ connectErrors }) => connectErrors.length > 0);
    expect(agent.connectErrors[0]?.message).toMatch(/not there yet/);
    centOps.recover();
    await eventually(async () => (await fetch(`${server.url}/v1/health`)).status === 200);
    await agent.ready();
  });

  it('is taken from a neighbour when CentOps is away', async () => {
    const first = await startServer();
    await eventually(async () => (await known(first)) === 2);
    centOps.failWith({ kind: 'status', status: 503 });
    const second = await startServer();
    await eventually(async () => (await known(second)) === 2);
    await login(tax, second);
  });
});

describe('a chain of restarts while CentOps is away', () => {
  it('loses neither the list nor who left as long as one node lives', async () => {
    const centOps = await startCentOps([tax, police, health]);
    const env = { CENTOPS_REMOVE_AFTER_MS: '0' };
    const start = () => startServerNode(amqp, centOps.url, { env, waitUntilHealthy: false });
    const snapshotOf = ({ broker }: ServerNode) =>
      broker.call<AgentSnapshot | null, object>('config-sync.snapshot', {}, { nodeID: broker.nodeID });
    let node = await start();
    await eventually(async () => (await snapshotOf(node))?.agents.length === 3);
    centOps.agents = [tax, police];
    await node.broker.call('config-sync.sync');
    const wanted = await snapshotOf(node);
    expect(wanted).toMatchObject({ agents: [{ id: tax.id }, { id: police.id }], departed: [{ id: health.id }] });
    centOps.failWith({ kind: 'status', status: 503 });
    for (let generation = 0; generation < 3; generation++) {
      const next = await start();
      await eventually(async () => expect(await snapshotOf(next)).toEqual(wanted));
      await node.stop();
      node = next;
    }
    await untilHealthy(node.url);
    const agent = await (await DeployedAgent.start({ url: node.url, identity: tax })).ready();
    expect([...agent.peers.keys()].sort()).toEqual([tax.id, police.id].sort());
    agent.close();
    await node.stop();
    await centOps.close();
  });
});

describe('a login', () => {
  it('takes over from one at another node and leaves one consumer of the queue', async () => {
    const centOps = await startCentOps([tax, police]);
    const nodes = [await startServerNode(amqp, centOps.url), await startServerNode(amqp, centOps.url)] as const;
    const first = await (
      await DeployedAgent.start({ url: nodes[0].url, identity: tax, reconnectDelayMs: 60_000 })
    ).ready();
    const second = await DeployedAgent.start({ url: nodes[1].url, identity: tax, reconnectDelayMs: 60_000 });
    await second.ready();
    await first.until(({ disconnects }) => disconnects.length > 0);
    expect(second.connected).toBe(true);
    await eventually(async () => {
      const consumers = (await management.request('GET', `consumers/${amqp.vhost}`)) as { queue: { name: string } }[];
      expect(consumers.filter(({ queue }) => queue.name === tax.id)).toHaveLength(1);
    });
    for (const agent of [first, second]) agent.close();
    for (const node of nodes) await node.stop();
    await centOps.close();
  });
});
