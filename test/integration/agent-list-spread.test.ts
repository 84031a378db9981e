import { ServiceBroker } from 'moleculer';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import type { AgentSnapshot } from '../../lib/agents/agent-record';
import { dlqName } from '../../lib/amqp/topology';
import { meshBrokerOptions } from '../../lib/mesh/broker-options';
import { nodesWith } from '../../lib/mesh/nodes';
import type { NodeRouter } from '../../lib/router/node-router';
import type { DeadLetterCount } from '../../services/server/dlq-monitor.service';
import type { SyncResult } from '../../services/server/config-sync.service';
import { startCentOps, type CentOps } from '../helpers/centops';
import { eventually } from '../helpers/eventually';
import { makeIdentity, toAgentRecord, type PublicIdentity } from '../helpers/keys';
import { chatMessage, startServerNode, untilHealthy, type ServerNode, type ServerServiceName } from '../helpers/mesh';
import { useVhost } from '../helpers/rabbitmq';
import { TcpProxy } from '../helpers/tcp-proxy';

const { amqp, management } = useVhost();

const tax = makeIdentity('Tax Office');
const police = makeIdentity('Police');
const health = makeIdentity('Health Board');

const HOUR_MS = 3_600_000;
/** A third of it is what a busy machine may be late between one look and the next. */
const REMOVE_AFTER_MS = 3000;

let centOps: CentOps;
const toClose: { close(): Promise<void> }[] = [];

beforeEach(async () => {
  centOps = await newCentOps([tax, police, health]);
});

afterEach(async () => {
  for (const open of toClose.splice(0).reverse()) await open.close();
});

async function newCentOps(agents: PublicIdentity[]): Promise<CentOps> {
  const started = await startCentOps(agents);
  toClose.push(started);
  return started;
}

async function startNode(
  only?: ServerServiceName[],
  url = centOps.url,
  broker = amqp,
  more: NodeJS.ProcessEnv = {},
): Promise<ServerNode> {
  const env = { CENTOPS_REMOVE_AFTER_MS: '0', ...more };
  const node = await startServerNode(broker, url, { only, env, waitUntilHealthy: false });
  toClose.push({ close: () => node.stop() });
  return node;
}

/** A gateway without a config-sync of its own, once it has the list and `source` would announce a change to it. */
async function startGateway(source: ServerNode): Promise<ServerNode> {
  const node = await startNode(['gateway.io']);
  await untilHealthy(node.url);
  await eventually(() => nodesWith(source.broker, 'gateway.io').length > 0);
  await settle(); // what it is told because it is new must not be taken for what is announced later
  return node;
}

const sync = (node: ServerNode) => node.broker.call<SyncResult, object>('config-sync.sync', {});

/** What the config-sync of this very node has. */
const snapshotOf = ({ broker }: ServerNode) =>
  broker.call<AgentSnapshot | null, object>('config-sync.snapshot', {}, { nodeID: broker.nodeID });

async function known({ url }: ServerNode): Promise<number> {
  const { parts } = (await (await fetch(`${url}/v1/health`)).json()) as { parts: { agents: { known: number } } };
  return parts.agents.known;
}

const listed = async (node: ServerNode, id: string) =>
  (await snapshotOf(node))?.agents.find((agent) => agent.id === id);

const nameOf = async (node: ServerNode, id: string) => (await listed(node, id))?.name;

/** When CentOps had listed the agent to whichever node, as this one knows. */
const lastSeen = async (node: ServerNode, id: string) => (await listed(node, id))?.listedAt ?? 0;

const routerOf = (broker: ServiceBroker) =>
  (broker.getLocalService('router') as unknown as { nodeRouter: NodeRouter }).nodeRouter;

const knows = (node: ServerNode, count: number) => eventually(async () => (await known(node)) === count);
/** Long enough for an announcement to arrive. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 500));

/** Says to the whole mesh what a config-sync would. */
async function announce(config: ServerNode['config'], snapshot: AgentSnapshot): Promise<void> {
  const broker = new ServiceBroker({ ...meshBrokerOptions('server', config), logger: false });
  await broker.start();
  await broker.broadcast('agents.changed', snapshot);
  await settle();
  await broker.stop();
}

it('a change in the moment a node joins reaches that node as well', async () => {
  const source = await startNode(['config-sync']);
  // Announced while the source does not know of the gateway yet, which has asked for the list already.
  const gateway = await startNode(['gateway.io']);
  await untilHealthy(gateway.url);
  centOps.agents = [tax];
  await sync(source);
  await knows(gateway, 1);
});

describe('a node whose first answer of CentOps is not whole', () => {
  it.each(['half-valid', 'empty'] as const)('takes nobody away elsewhere (%s)', async (kind) => {
    const first = await startNode();
    await knows(first, 3);
    const faulty = await newCentOps([tax, police, health]);
    faulty.failWith({ kind });
    const second = await startNode(undefined, faulty.url);
    await eventually(async () => (await snapshotOf(second))?.agents.length === 3);
    expect(await snapshotOf(second)).toMatchObject({ departed: [] });
    await settle();
    expect(await known(first)).toBe(3);
    expect((await snapshotOf(first))?.agents).toHaveLength(3);
    expect(await known(second)).toBe(3);
  });

  it('is believed for whom it has, never for whom it lacks', async () => {
    const node = await startNode();
    await knows(node, 3);
    const newcomer = { ...toAgentRecord(makeIdentity('Newcomer')), listedAt: Date.now() + 1000 };
    await announce(node.config, { agents: [newcomer], departed: [], missing: [] });
    expect(await known(node)).toBe(4);
    expect((await snapshotOf(node))?.agents).toHaveLength(4);
  });
});

describe('a change of the list', () => {
  it('is announced again with the next look at CentOps, in case nobody heard', async () => {
    const source = await startNode(['config-sync']);
    const gateway = await startGateway(source);
    const broadcast = jest.spyOn(source.broker, 'broadcast').mockResolvedValueOnce(undefined);
    centOps.agents = [tax];
    expect(await sync(source)).toMatchObject({ removed: 2 });
    broadcast.mockRestore();
    await settle();
    expect(await known(gateway)).toBe(3);
    expect(await sync(source)).toMatchObject({ ok: true, removed: 0 });
    await knows(gateway, 1);
  });

  it('that happened while config-sync was cut off is announced once it is back', async () => {
    const proxy = await newProxy();
    const source = await startNode(['config-sync'], centOps.url, { ...amqp, host: '127.0.0.1', port: proxy.port });
    const gateway = await startGateway(source);
    await proxy.cut();
    centOps.agents = [tax];
    expect(await sync(source)).toMatchObject({ removed: 2 });
    await settle();
    expect(await known(gateway)).toBe(3);
    await proxy.open();
    await eventually(async () => (await known(gateway)) === 1, { timeoutMs: 20_000 });
  });

  it('is not hidden by the list of a node whose clock is fast', async () => {
    const node = await startNode();
    await knows(node, 3);
    const old = { ...toAgentRecord(tax), name: 'Old name', listedAt: Date.now() + HOUR_MS };
    await announce(node.config, { agents: [old], departed: [], missing: [] });
    expect(await nameOf(node, tax.id)).toBe('Old name');
    await sync(node);
    await eventually(async () => (await nameOf(node, tax.id)) === tax.name);
  });

  it("brings nobody back by a neighbour's older list, and takes nobody new away", async () => {
    const node = await startNode();
    await knows(node, 3);
    const stale = await snapshotOf(node);
    const newcomer = makeIdentity('Newcomer');
    centOps.agents = [tax, police, newcomer];
    expect(await sync(node)).toMatchObject({ added: 1, removed: 1 });
    await announce(node.config, stale!);
    expect((await snapshotOf(node))?.agents.map(({ id }) => id).sort()).toEqual(
      [tax.id, police.id, newcomer.id].sort(),
    );
    expect(await known(node)).toBe(3);
  });

  it('that a neighbour announces makes a node look for itself', async () => {
    const node = await startNode();
    await knows(node, 3);
    await announce(node.config, { agents: [], departed: [{ id: tax.id, leftAt: Date.now() + 1000 }], missing: [] });
    await knows(node, 3);
    expect((await snapshotOf(node))?.departed).toEqual([]);
  });
});

describe('two nodes that are told different lists', () => {
  it('remove nobody whom one of them still sees', async () => {
    const time = { CENTOPS_REMOVE_AFTER_MS: String(REMOVE_AFTER_MS) };
    const first = await startNode(undefined, centOps.url, amqp, time);
    const faulty = await newCentOps([tax, police, health]);
    const second = await startNode(undefined, faulty.url, amqp, time);
    for (const node of [first, second]) await knows(node, 3);
    await sync(second); // it may know them from the other, and its own first look still be under way
    const removals = jest.fn();
    for (const { broker } of [first, second]) routerOf(broker).on('agents', removals);
    faulty.agents = [tax, health];
    const end = Date.now() + 2 * REMOVE_AFTER_MS;
    while (Date.now() < end) {
      const before = await lastSeen(second, police.id);
      expect(await sync(second)).toMatchObject({ missing: 1 });
      // Its doubt makes the other look, and it hears what that sees.
      await eventually(async () => (await lastSeen(second, police.id)) > before);
    }
    expect(removals).not.toHaveBeenCalled();
    expect((await snapshotOf(second))?.agents).toHaveLength(3);
    centOps.agents = [tax, health];
    await eventually(async () => {
      for (const node of [first, second]) await sync(node);
      return removals.mock.calls.length > 0;
    });
    for (const node of [first, second]) await knows(node, 2);
  });
});

describe('dead letters of an agent that left', () => {
  it('are counted for as long as their queue is there', async () => {
    const node = await startNode(undefined, centOps.url, amqp, { RETIRE_AFTER: '1', DLQ_MONITOR_INTERVAL_MS: '200' });
    await knows(node, 3);
    const counts = async () => {
      const all = await node.broker.call<DeadLetterCount[], object>('dlq-monitor.counts', {});
      return all.find(({ agentId }) => agentId === police.id);
    };
    const queues = async () => (await management.queues()).map(({ name }) => name);
    await eventually(async () => (await queues()).includes(dlqName(police.id)));
    await eventually(async () => expect(await counts()).toMatchObject({ messages: 0 }));
    const body = chatMessage(police.id);
    await management.request('POST', `exchanges/${amqp.vhost}/amq.default/publish`, {
      properties: { delivery_mode: 2, message_id: body.id },
      routing_key: police.id,
      payload: JSON.stringify(body),
      payload_encoding: 'string',
    });
    centOps.agents = [tax, health];
    await sync(node);
    await eventually(async () => (await counts())?.messages === 1);
    const monitor = node.broker.getLocalService('dlq-monitor') as unknown as { last: Map<string, number> };
    await eventually(() => monitor.last.has(dlqName(police.id)));
    await management.request('DELETE', `queues/${amqp.vhost}/${dlqName(police.id)}`);
    await eventually(async () => expect(await counts()).toBeUndefined());
    await eventually(() => !monitor.last.has(dlqName(police.id)));
  });
});

/** A line to RabbitMQ that can be cut. */
async function newProxy(): Promise<TcpProxy> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  const proxy = new TcpProxy(port, amqp);
  await proxy.open();
  toClose.push({ close: () => proxy.cut() });
  return proxy;
}
