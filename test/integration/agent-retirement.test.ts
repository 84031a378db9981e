import { withChannel } from '../../lib/amqp/admin';
import { AmqpConnection } from '../../lib/amqp/connection';
import { withQueueLock } from '../../lib/amqp/queue-lock';
import { dlqName } from '../../lib/amqp/topology';
import type { NodeRouter } from '../../lib/router/node-router';
import type { Retired } from '../../lib/router/retirement';
import type { DeadLetterCount } from '../../services/server/dlq-monitor.service';
import { startCentOps, type CentOps } from '../helpers/centops';
import { DeployedAgent } from '../helpers/deployed-agent';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { chatMessage, startServerNode, type ServerNode } from '../helpers/mesh';
import { Exposition } from '../helpers/prometheus-text';
import { Queues } from '../helpers/queues';
import { useVhost } from '../helpers/rabbitmq';

const { amqp } = useVhost();

const tax = makeIdentity('Tax Office');

const silent = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };

/** In which another node can start and this one stop, on a busy machine. */
const LONG_GRACE_MS = 10_000;

describe('an agent that left CentOps', () => {
  let centOps: CentOps;
  let queues: Queues;
  let police: ReturnType<typeof makeIdentity>;
  const nodes: ServerNode[] = [];
  const agents: DeployedAgent[] = [];

  beforeEach(async () => {
    police = makeIdentity('Police');
    centOps = await startCentOps([tax, police]);
    queues = new Queues(amqp);
  });

  afterEach(async () => {
    for (const agent of agents.splice(0)) agent.close();
    for (const node of nodes.splice(0)) await node.stop();
    await queues.close();
    await centOps.close();
  });

  async function start(retireAfterMs: number): Promise<ServerNode> {
    const env = { CENTOPS_REMOVE_AFTER_MS: '0', RETIRE_AFTER: String(retireAfterMs), DLQ_MONITOR_INTERVAL_MS: '200' };
    const node = await startServerNode(amqp, centOps.url, { env });
    nodes.push(node);
    await eventually(async () => (await queues.look(police.id)) !== undefined);
    return node;
  }

  async function stop(node: ServerNode): Promise<void> {
    nodes.splice(nodes.indexOf(node), 1);
    await node.stop();
  }

  /** What a deployed sender's message looks like in the queue; nobody here opens it. */
  async function put(queue: string, count: number): Promise<string[]> {
    const messages = Array.from({ length: count }, () => ({ ...chatMessage(police.id), senderId: tax.id }));
    for (const message of messages) await queues.put(queue, message);
    return messages.map(({ id }) => id);
  }

  /** In time, as a node that looks at the head of a queue has that message in its hands just then. */
  const holds = (queue: string, ready: number) =>
    eventually(async () => expect(await queues.look(queue)).toMatchObject({ ready }));

  const idsOf = (messages: { body: unknown }[]) => messages.map(({ body }) => (body as { id: string }).id);
  const sync = (node: ServerNode) => node.broker.call('config-sync.sync');
  const routerOf = ({ broker }: ServerNode) =>
    (broker.getLocalService('router') as unknown as { nodeRouter: NodeRouter }).nodeRouter;
  const retire = (node: ServerNode, params: { agentId: string; now?: boolean }) =>
    node.broker.call<Retired, object>('router.retire', params);

  it('and comes back within the grace still gets what waited for it', async () => {
    const node = await start(3_600_000);
    centOps.agents = [tax];
    await sync(node);
    const ids = await put(police.id, 2);
    await retire(node, { agentId: police.id });
    await holds(police.id, 2);
    centOps.agents = [tax, police];
    await sync(node);
    const agent = await DeployedAgent.start({ url: node.url, identity: police });
    agents.push(agent);
    await agent.until(({ messages }) => messages.length === 2);
    expect(agent.messages.map(({ envelope }) => envelope.id)).toEqual(ids);
    expect(await queues.drain(dlqName(police.id))).toEqual([]);
  });

  it('leaves each message once in its dead-letter queue after the grace, though two nodes retire it', async () => {
    const [first, second] = [await start(500), await start(500)];
    const ids = await put(police.id, 40);
    centOps.agents = [tax];
    await sync(first);
    const both = [first, second].map(
      ({ broker }) =>
        // Each by itself, as two halves of a mesh that see each other no longer would.
        (broker.getLocalService('router') as unknown as { retirement: { finish(id: string): Promise<Retired> } })
          .retirement,
    );
    await eventually(() => routerOf(second).departed.length === 1);
    await Promise.all(both.map((retirement) => retirement.finish(police.id)));
    const dead = await queues.waitFor(dlqName(police.id), 40);
    expect(idsOf(dead).sort()).toEqual([...ids].sort());
    for (const { headers } of dead) expect(headers).toMatchObject({ 'x-dmr-reason': 'AGENT_REMOVED' });
    for (const queue of [police.id, dlqName(police.id)]) {
      await eventually(async () => (await queues.look(queue)) === undefined);
    }
  });

  it('keeps a queue without ready messages while somebody has one in hand', async () => {
    const node = await start(3_600_000);
    centOps.agents = [tax];
    await sync(node);
    const dlq = dlqName(police.id);
    const [id] = await put(dlq, 1);
    const other = new AmqpConnection(amqp, 'other', silent);
    other.start();
    await other.whenOpen(10_000);
    try {
      await eventually(() =>
        withQueueLock(other, dlq, () =>
          withChannel(other, async (channel) => {
            // As a scan does: it takes, cancels, and only then gives back.
            const taken = jest.fn();
            const { consumerTag } = await channel.consume(dlq, taken);
            await eventually(() => expect(taken).toHaveBeenCalled());
            await channel.cancel(consumerTag);
            expect(await queues.look(dlq)).toMatchObject({ ready: 0 });
            await expect(routerOf(node).deleteQueues(police.id)).resolves.toBe(false);
          }),
        ),
      );
    } finally {
      await other.stop();
    }
    expect(idsOf(await queues.waitFor(dlq, 1))).toEqual([id]);
  });

  it('keeps a dead-letter queue that is not empty, and loses its own queue', async () => {
    const node = await start(500);
    await put(police.id, 1);
    centOps.agents = [tax];
    await sync(node);
    await eventually(async () => (await queues.look(police.id)) === undefined);
    expect(await queues.look(dlqName(police.id))).toMatchObject({ ready: 1 });
    const counts = await node.broker.call<DeadLetterCount[], object>('dlq-monitor.counts', {});
    expect(counts).toContainEqual({ queue: dlqName(police.id), agentId: police.id, messages: 1 });
    await eventually(async () => {
      const shown = await Exposition.of(node);
      expect(shown.value('dmr_dlq_departed_messages')).toBe(1);
      expect(shown.value('dmr_dlq_departed_oldest_seconds')).toBeLessThan(600);
    });
    await queues.drain(dlqName(police.id));
    await eventually(async () => (await queues.look(dlqName(police.id))) === undefined);
  });

  it('is remembered by nodes that started after it left', async () => {
    const first = await start(LONG_GRACE_MS);
    const ids = await put(police.id, 1);
    centOps.agents = [tax];
    await sync(first);
    const second = await startServerNode(amqp, centOps.url, {
      env: { CENTOPS_REMOVE_AFTER_MS: '0', RETIRE_AFTER: String(LONG_GRACE_MS) },
    });
    nodes.push(second);
    await eventually(() => routerOf(second).departed.length === 1);
    await stop(first);
    await holds(police.id, 1);
    const dead = await queues.waitFor(dlqName(police.id), 1, 3 * LONG_GRACE_MS);
    expect(idsOf(dead)).toEqual(ids);
  }, 60_000);

  it('and is unknown to everybody is retired by its id', async () => {
    const [first, second] = [await start(3_600_000), await start(3_600_000)];
    const stranger = makeIdentity('Stranger');
    await queues.declare(stranger.id, { 'x-queue-type': 'quorum' });
    const trace = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, tracestate: 'vendor=value' };
    await queues.putAll(stranger.id, [{ id: 'one', body: {}, headers: trace }]);
    expect(await retire(first, { agentId: stranger.id })).toEqual({ moved: 0, gone: false });
    await eventually(() => expect(routerOf(second).departed).toMatchObject([{ id: stranger.id }]));
    await holds(stranger.id, 1);
    // A node that looks at the head of the queue has the message in its hands just then.
    await eventually(async () =>
      expect(await retire(second, { agentId: stranger.id, now: true })).toEqual({ moved: 1, gone: false }),
    );
    const [dead] = await queues.waitFor(dlqName(stranger.id), 1);
    expect(dead?.headers).toMatchObject({ 'x-dmr-reason': 'AGENT_REMOVED', ...trace });
    await expect(retire(second, { agentId: police.id, now: true })).rejects.toMatchObject({ code: 'AGENT_LISTED' });
  });

  it('and comes back in the moment its queues are deleted has them at once again', async () => {
    const node = await start(3_600_000);
    const router = routerOf(node);
    const listed = jest.spyOn(router.directory, 'get');
    // Asked before each of the two deletions; listed again before the third question.
    listed.mockReturnValueOnce(undefined).mockReturnValueOnce(undefined);
    expect(await router.deleteQueues(police.id)).toBe(false);
    listed.mockRestore();
    for (const queue of [police.id, dlqName(police.id)]) expect(await queues.look(queue)).toMatchObject({ ready: 0 });
    // Back already at the last look: nothing is deleted at all.
    const [id] = await put(police.id, 1);
    expect(await router.deleteQueues(police.id)).toBe(false);
    expect(idsOf(await queues.drain(police.id))).toEqual([id]);
  });

  it('loses no queue that somebody still consumes', async () => {
    const node = await start(3_600_000);
    const agent = await DeployedAgent.start({ url: node.url, identity: police });
    agents.push(agent);
    await eventually(async () => (await queues.look(police.id))?.consumers === 1);
    const listed = jest.spyOn(routerOf(node).directory, 'get').mockReturnValue(undefined);
    expect(await routerOf(node).deleteQueues(police.id)).toBe(false);
    listed.mockRestore();
    expect(await queues.look(police.id)).toMatchObject({ consumers: 1 });
  });
});
