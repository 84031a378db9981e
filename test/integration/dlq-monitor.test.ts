import { dlqName } from '../../lib/amqp/topology';
import type { QueueRow } from '../../lib/dlq/queue-watch';
import { metricsOf } from '../../mixins/metrics.mixin';
import type { DeadLetterCount, DlqGrowing } from '../../services/server/dlq-monitor.service';
import { startCentOps, type CentOps } from '../helpers/centops';
import { DeployedAgent, NO_ANSWER } from '../helpers/deployed-agent';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { startServerNode, type ServerNode } from '../helpers/mesh';
import { Queues } from '../helpers/queues';
import { useVhost } from '../helpers/rabbitmq';

const { amqp, management } = useVhost();

const tax = makeIdentity('Tax Office');
const police = makeIdentity('Police');

describe('the monitor of dead letters', () => {
  let centOps: CentOps;
  let node: ServerNode;
  let queues: Queues;
  let growing: DlqGrowing[];

  beforeEach(async () => {
    queues = new Queues(amqp);
    growing = [];
    centOps = await startCentOps([tax]);
    const env = { DLQ_MONITOR_INTERVAL_MS: '200', CENTOPS_REMOVE_AFTER_MS: '0' };
    node = await startServerNode(amqp, centOps.url, { env });
    node.broker.createService({
      name: 'listener',
      events: { 'dlq.growing': { handler: (ctx: { params: DlqGrowing }) => void growing.push(ctx.params) } },
    });
    await eventually(async () => (await queues.look(dlqName(tax.id))) !== undefined);
  });

  afterEach(async () => {
    await node.stop();
    await queues.close();
    await centOps.close();
  });

  const counts = () => node.broker.call<DeadLetterCount[], object>('dlq-monitor.counts', {});
  const monitor = () => node.broker.getLocalService('dlq-monitor') as unknown as { began: boolean };

  it('counts right after its connections were lost, and says what grew meanwhile', async () => {
    await eventually(() => monitor().began);
    for (let time = 1; time <= 2; time++) {
      await queues.close();
      await management.closeConnections(4);
      await queues.put(dlqName(tax.id), { id: time });
      await eventually(async () =>
        expect(await counts()).toContainEqual({ queue: dlqName(tax.id), agentId: tax.id, messages: time }),
      );
      await eventually(() => growing.some(({ queue, messages }) => queue === dlqName(tax.id) && messages === time));
    }
  });

  it('speaks up for a queue that is new and not empty at its first count', async () => {
    await eventually(() => monitor().began);
    const dlq = dlqName(police.id);
    await queues.declare(dlq, { 'x-queue-type': 'quorum', 'x-message-ttl': node.config.ttl.dlqTtlMs });
    await queues.put(dlq, {});
    centOps.agents = [tax, police];
    await node.broker.call('config-sync.sync');
    await eventually(() => expect(growing).toContainEqual({ queue: dlq, agentId: police.id, messages: 1, before: 0 }));
  });

  it('outlives a count that fails and an event that cannot be sent', async () => {
    await eventually(() => monitor().began);
    const emit = jest.spyOn(node.broker, 'emit').mockRejectedValueOnce(new Error('nobody there'));
    await queues.put(dlqName(tax.id), {});
    await eventually(() => growing.length > 0);
    expect(emit.mock.calls.length).toBeGreaterThanOrEqual(2);
    emit.mockRestore();
  });

  /** What a gauge says of the Tax Office from now on. */
  async function shown(name: string): Promise<number> {
    const metrics = metricsOf(node.broker);
    const set = jest.spyOn(metrics, 'set');
    const replace = jest.spyOn(metrics, 'replace');
    try {
      return await eventually(() => {
        const ages = replace.mock.calls.filter(([metric]) => metric === name).flatMap(([, values]) => [...values]);
        const counts = set.mock.calls
          .filter(([metric]) => metric === name)
          .map(([, value, of]) => [of ?? {}, value] as const);
        return [...ages, ...counts].filter(([{ agent }]) => agent === tax.id).at(-1)?.[1] ?? false;
      });
    } finally {
      set.mockRestore();
      replace.mockRestore();
    }
  }

  it('shows how old the first dead letter is, from before its start too, and looks at it once or twice for that', async () => {
    const dlq = dlqName(tax.id);
    await node.stop();
    await queues.drain(dlq);
    const headers = { 'x-dmr-dead-at': new Date(Date.now() - 3_600_000).toISOString() };
    await queues.putAll(dlq, [
      { id: 'old', body: {}, headers },
      { id: 'new', body: {} },
    ]);
    node = await startServerNode(amqp, centOps.url, { env: { DLQ_MONITOR_INTERVAL_MS: '50' } });
    expect(await shown('dmr_dlq_oldest_seconds')).toBeGreaterThanOrEqual(3600);
    expect(await shown('dmr_dlq_messages')).toBe(2);
    let rounds = 0;
    const count = jest.spyOn(metricsOf(node.broker), 'replace').mockImplementation(() => void rounds++);
    await eventually(() => rounds > 100);
    count.mockRestore();
    const [first, second] = await queues.drain(dlq);
    expect([first, second].map((message) => message?.messageId)).toEqual(['old', 'new']);
    expect(first?.headers['x-delivery-count']).toBeLessThanOrEqual(2);
    expect(await eventually(async () => (await shown('dmr_dlq_oldest_seconds')) === 0)).toBe(true);
  });

  it('shows how long messages wait for an agent that is away, and for the answer of one that is there', async () => {
    centOps.agents = [tax, police];
    await node.broker.call('config-sync.sync');
    const sender = await (await DeployedAgent.start({ url: node.url, identity: police })).ready();
    await sender.send(tax.id, {});
    await eventually(async () => (await shown('dmr_queue_oldest_seconds')) > 0.5);
    const recipient = await DeployedAgent.start({ url: node.url, identity: tax });
    recipient.answerWith(NO_ANSWER);
    await recipient.until(({ messages }) => messages.length > 0);
    const [inFlight] = (await node.broker.call<QueueRow[], object>('dlq-monitor.queues', {})).filter(
      ({ queue }) => queue === tax.id,
    );
    expect(inFlight).toMatchObject({ messages: 0, consumers: 1, inFlight: 1, node: node.broker.nodeID });
    expect(inFlight?.oldestSeconds).toBeGreaterThan(0.5);
    recipient.close();
    sender.close();
  });

  it('counts how long a replayed message waits from its replay on, not from its acceptance', async () => {
    const receivedAt = new Date(Date.now() - 3_600_000).toISOString();
    for (const queue of [tax.id, dlqName(tax.id)]) await queues.drain(queue);
    await queues.putAll(dlqName(tax.id), [{ id: 'old', body: { id: 'old', recipientId: tax.id, receivedAt } }]);
    await node.broker.call('dlq-monitor.replay', { agentId: tax.id, all: true });
    // A node that has not seen the queue empty has to look at its head.
    await node.stop();
    node = await startServerNode(amqp, centOps.url, { env: { DLQ_MONITOR_INTERVAL_MS: '50' } });
    expect(await shown('dmr_queue_oldest_seconds')).toBeLessThan(600);
    const recipient = await DeployedAgent.start({ url: node.url, identity: tax });
    recipient.answerWith(NO_ANSWER);
    await recipient.until(({ messages }) => messages.length > 0);
    const rows = await node.broker.call<QueueRow[], object>('dlq-monitor.queues', {});
    const inFlight = rows.find(({ queue }) => queue === tax.id);
    expect(inFlight).toMatchObject({ messages: 0, inFlight: 1 });
    expect(inFlight?.oldestSeconds).toBeLessThan(600);
    recipient.close();
  });
});
