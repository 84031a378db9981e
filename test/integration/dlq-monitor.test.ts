import { dlqName } from '../../lib/amqp/topology';
import type { DeadLetterCount, DlqGrowing } from '../../services/server/dlq-monitor.service';
import { startCentOps, type CentOps } from '../helpers/centops';
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
});
