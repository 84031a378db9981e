import { randomUUID } from 'node:crypto';
import { dlqName } from '../../lib/amqp/topology';
import type { Replayed } from '../../lib/dlq/dead-letters';
import type { QueueRow } from '../../lib/dlq/queue-watch';
import type { NodeRouter } from '../../lib/router/node-router';
import type { Retired } from '../../lib/router/retirement';
import { startCluster, type Cluster } from '../../scripts/lib/broker/cluster';
import type { ClusterNode } from '../../scripts/lib/broker/cluster-node';
import { startCentOps, type CentOps } from '../helpers/centops';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { startServerNode, type ServerNode } from '../helpers/mesh';
import { Queues } from '../helpers/queues';
import { testAmqp } from '../helpers/rabbitmq';

/** A broker of its own, as its operator stops the leaders of single queues. */
jest.setTimeout(60_000);

const tax = makeIdentity('Tax Office');
const COUNT = 5;

/** What happens to a leader, in Erlang. */
interface Fault {
  begin: (leader: string) => string;
  end: (leader: string) => string;
}

const frozen: Fault = { begin: (leader) => `sys:suspend(${leader}).`, end: (leader) => `sys:resume(${leader}).` };
const missing: Fault = {
  begin: (leader) => `ra:stop_server(quorum_queues, {${leader}, node()}).`,
  end: (leader) => `ra:restart_server(quorum_queues, {${leader}, node()}).`,
};

describe('a queue whose leader', () => {
  let cluster: Cluster;
  let centOps: CentOps;
  let node: ServerNode;
  let queues: Queues;
  let police: ReturnType<typeof makeIdentity>;
  /** How each queue that has no leader now gets it back. */
  const silent = new Map<string, Fault>();

  beforeAll(async () => {
    cluster = await startCluster({ nodes: 1 });
    const [{ host }] = cluster.nodes as [ClusterNode];
    const amqp = testAmqp({ ...cluster.amqp, host });
    queues = new Queues(amqp);
    centOps = await startCentOps([tax]);
    const env = { CENTOPS_REMOVE_AFTER_MS: '0', RETIRE_AFTER: '500', DLQ_MONITOR_INTERVAL_MS: '200' };
    node = await startServerNode(amqp, centOps.url, { env });
  });

  beforeEach(async () => {
    police = makeIdentity('Police');
    centOps.agents = [tax, police];
    await node.broker.call('config-sync.sync');
    await eventually(async () => (await queues.look(police.id)) !== undefined);
  });

  afterEach(async () => {
    jest.restoreAllMocks();
    // One that was deleted has no leader any more.
    for (const queue of silent.keys()) await mend(queue).catch(() => silent.delete(queue));
  });

  afterAll(async () => {
    await queues?.close();
    await node?.stop();
    await centOps?.close();
    await cluster?.stop();
  });

  /** RabbitMQ answers a declaration of such a queue with 0 messages and 0 consumers all the same. */
  async function silence(queue: string, fault: Fault = frozen): Promise<void> {
    await cluster.nodes[0]?.ctl('eval', fault.begin(`'%2F_${queue}'`));
    silent.set(queue, fault);
    expect(await queues.look(queue)).toEqual({ ready: 0, consumers: 0 });
  }

  async function mend(queue: string): Promise<void> {
    await cluster.nodes[0]?.ctl('eval', silent.get(queue)?.end(`'%2F_${queue}'`) ?? 'ok.');
    silent.delete(queue);
  }

  async function put(queue: string): Promise<string[]> {
    const ids = Array.from({ length: COUNT }, () => randomUUID());
    const common = { senderId: tax.id, recipientId: police.id, type: 'ChatMessage', payload: 'sealed' };
    await queues.putAll(
      queue,
      ids.map((id) => ({ id, body: { ...common, id, receivedAt: new Date().toISOString() } })),
    );
    return ids;
  }

  const idsOf = (messages: { messageId: unknown }[]) => messages.map(({ messageId }) => messageId).sort();
  const router = () => (node.broker.getLocalService('router') as unknown as { nodeRouter: NodeRouter }).nodeRouter;
  const service = () => node.broker.getLocalService('router') as unknown as { retirement: Retirement };
  type Retirement = { finish(agentId: string): Promise<Retired> };
  const call = <T>(action: string, params: object) =>
    node.broker.call<T, object>(`dlq-monitor.${action}`, { agentId: police.id, ...params });

  it.each([
    ['is frozen', frozen],
    ['is missing', missing],
  ])('%s is not deleted with what is in it, and retires when it answers again', async (_what, fault) => {
    const ids = await put(police.id);
    await silence(police.id, fault);
    const finish = jest.spyOn(service().retirement, 'finish');
    centOps.agents = [tax];
    await node.broker.call('config-sync.sync');
    await eventually(() => finish.mock.calls.length > 0);
    await Promise.allSettled(finish.mock.results.map(({ value }) => value as Promise<Retired>));
    await expect(router().deleteQueues(police.id)).rejects.toMatchObject({ retryable: true });
    await mend(police.id);
    expect(idsOf(await queues.waitFor(dlqName(police.id), COUNT, 20_000))).toEqual([...ids].sort());
    for (const queue of [police.id, dlqName(police.id)])
      await eventually(async () => (await queues.look(queue)) === undefined, { timeoutMs: 20_000 });
  });

  it('is frozen is not called empty: dead letters are neither replayed nor purged, until it answers again', async () => {
    const ids = await put(dlqName(police.id));
    await silence(dlqName(police.id));
    for (const [action, params] of [
      ['replay', { all: true }],
      ['purge', { all: true }],
      ['peek', {}],
    ] as const)
      await expect(call(action, params)).rejects.toMatchObject({ code: 'TIMEOUT', retryable: true });
    const search = await node.broker.call<{ notSearched: string[] }, object>('router.message', {
      id: ids[0],
      search: true,
    });
    expect(search.notSearched.join()).toContain(dlqName(police.id));
    await mend(dlqName(police.id));
    const done = await eventually(() => call<Replayed>('replay', { all: true }));
    expect(done).toMatchObject({ matched: COUNT, replayed: COUNT, left: 0, complete: true });
    expect(idsOf(await queues.drain(police.id))).toEqual([...ids].sort());
  });

  it('is frozen goes on being counted as it was', async () => {
    await put(dlqName(police.id));
    const counted = async () => {
      const rows = await node.broker.call<QueueRow[]>('dlq-monitor.queues');
      return rows.find(({ queue }) => queue === dlqName(police.id))?.messages;
    };
    await eventually(async () => (await counted()) === COUNT);
    await silence(dlqName(police.id));
    expect(await counted()).toBeUndefined();
    await mend(dlqName(police.id));
    await eventually(async () => (await counted()) === COUNT);
    await queues.drain(dlqName(police.id));
    await eventually(async () => (await counted()) === 0);
  });
});
