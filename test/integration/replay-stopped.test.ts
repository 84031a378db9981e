import { randomUUID } from 'node:crypto';
import { Publisher } from '../../lib/amqp/publisher';
import { dlqName } from '../../lib/amqp/topology';
import type { Replayed } from '../../lib/dlq/dead-letters';
import type { NodeRouter } from '../../lib/router/node-router';
import { startCentOps, type CentOps } from '../helpers/centops';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { startServerNode, type ServerNode } from '../helpers/mesh';
import { Queues } from '../helpers/queues';
import { useVhost } from '../helpers/rabbitmq';

const { amqp } = useVhost();

const police = makeIdentity('Police');
const DLQ = dlqName(police.id);
const COUNT = 3000;
/** Copies of which the last begins as the stop does: the window is full, and many acks are on their way. */
const BEGUN = 500;

describe('a node that is stopped while it goes through dead letters', () => {
  let centOps: CentOps;
  let node: ServerNode;
  const queues = new Queues(amqp);

  beforeEach(async () => {
    centOps = await startCentOps([police]);
    node = await startServerNode(amqp, centOps.url);
    await eventually(async () => (await queues.look(DLQ)) !== undefined);
  });

  afterEach(async () => {
    jest.restoreAllMocks();
    await node?.stop();
    for (const queue of [police.id, DLQ]) await queues.drain(queue);
    await centOps?.close();
  });

  afterAll(() => queues.close());

  const router = () => (node.broker.getLocalService('router') as unknown as { nodeRouter: NodeRouter }).nodeRouter;
  const idsIn = async (queue: string) => (await queues.drain(queue)).map(({ messageId }) => messageId as string);

  async function put(): Promise<string[]> {
    const ids = Array.from({ length: COUNT }, () => randomUUID());
    const receivedAt = new Date().toISOString();
    await queues.putAll(
      DLQ,
      ids.map((id) => ({
        id,
        body: { id, recipientId: police.id, receivedAt },
        headers: { 'x-dmr-reason': 'NO_ACK' },
      })),
    );
    return ids;
  }

  /** Stops in this way as the replay has begun so many copies; resolves when it has stopped. */
  function stopWithin(stop: () => Promise<void>): Promise<void> {
    const publish = Object.getOwnPropertyDescriptor(Publisher.prototype, 'publish')?.value as Publisher['publish'];
    let begun = 0;
    return new Promise((resolve, reject) => {
      jest.spyOn(Publisher.prototype, 'publish').mockImplementation(function (this: Publisher, ...args) {
        if (++begun === BEGUN) stop().then(resolve, reject);
        return publish.apply(this, args);
      });
    });
  }

  it.each([
    ['as a node', () => node.stop()],
    ['by its connections alone', () => router().stop()],
  ])(
    'leaves each in one place, %s, and says how far it came',
    async (_how, stop) => {
      const ids = await put();
      const stopped = stopWithin(stop);
      const done = await node.broker.call<Replayed, object>('dlq-monitor.replay', { agentId: police.id, all: true });
      await stopped;
      const [back, left] = [await idsIn(police.id), await idsIn(DLQ)];
      expect(back.length + left.length).toBe(COUNT);
      expect(new Set([...back, ...left])).toEqual(new Set(ids));
      expect(done).toMatchObject({ complete: false, failed: 0, replayed: back.length, left: left.length });
      expect(done.error).toMatchObject({ code: 'NODE_STOPPING' });
      expect(back.length).toBeGreaterThanOrEqual(BEGUN);
      expect(back.length).toBeLessThan(COUNT);
    },
    90_000,
  );
});
