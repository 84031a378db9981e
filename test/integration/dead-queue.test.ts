import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { declareQueue } from '../../lib/amqp/admin';
import { QueueConsumer } from '../../lib/amqp/consumer';
import { startCluster, type Cluster } from '../../scripts/lib/broker/cluster';
import type { ClusterNode } from '../../scripts/lib/broker/cluster-node';
import { eventually } from '../helpers/eventually';
import { MessageLine } from '../helpers/message-line';
import { Queues } from '../helpers/queues';
import { testAmqp } from '../helpers/rabbitmq';

// Longer than a node may take to come back.
jest.setTimeout(240_000);

const ONE_COPY = {
  'x-queue-type': 'quorum',
  'x-quorum-initial-group-size': 1,
  'x-queue-leader-locator': 'client-local',
};

/** RabbitMQ answers who consumes it by closing the whole connection. */
describe('a queue whose only copy is on a dead node', () => {
  const dead = randomUUID();
  let cluster: Cluster;
  let line: MessageLine;
  let consumer: QueueConsumer;
  let home: ClusterNode;
  let stream: { stop(): Promise<void> } | undefined;
  const received: string[] = [];

  beforeAll(async () => {
    cluster = await startCluster({ nodes: 3 });
    home = cluster.nodes[2] as ClusterNode;
    const at = (node: ClusterNode) =>
      testAmqp({ ...cluster.amqp, host: node.host, port: node.port, hosts: [{ host: node.host, port: node.port }] });
    const queues = new Queues(at(home));
    await queues.declare(dead, ONE_COPY);
    await queues.close();
    line = await new MessageLine(at(cluster.nodes[0] as ClusterNode)).start();
    await line.flows();
    // RabbitMQ 3.10 has the name of a new queue on disk after 3 s.
    await pause(4000);
  });

  afterAll(async () => {
    await stream?.stop();
    await consumer?.close();
    await line?.stop();
    await cluster?.stop();
  });

  function consumerOf({ consuming, admin, warnings }: MessageLine): QueueConsumer {
    const declare = async () =>
      void (await declareQueue(admin, { name: dead, options: { durable: true, arguments: ONE_COPY } }));
    const handle = (message: { properties: { messageId?: unknown } }) => {
      received.push(String(message.properties.messageId));
      return Promise.resolve('ack' as const);
    };
    const warn = (text: string) => void warnings.push(text);
    const log = { error: warn, warn, info: () => undefined, debug: () => undefined };
    return new QueueConsumer(consuming, { queue: dead, prefetch: 50, declare, handle }, log);
  }

  it('costs its neighbours the connection twice at the most, and is consumed again once it is back', async () => {
    let closes = 0;
    line.consuming.on('close', () => void (closes += 1));
    await home.kill();
    stream = line.stream();
    consumer = consumerOf(line);
    await consumer.start();
    await eventually(() => closes >= 2, { timeoutMs: 30_000 });
    await eventually(() => line.consumer.consuming);
    const before = new Set(line.received.keys());
    await pause(15_000); // it would be closed thirty times
    expect(closes).toBe(2);
    await stream.stop();
    await line.nothingLost();
    const since = [...line.received].filter(([id]) => !before.has(id));
    expect(since.length).toBeGreaterThan(100);
    expect(since.filter(([, times]) => times > 1)).toEqual([]);
    expect(line.consumer.consuming).toBe(true);
    expect(consumer.consuming).toBe(false);
    expect(line.warnings.filter((text) => text.includes(dead)).length).toBeLessThanOrEqual(3);
    await home.start();
    await eventually(() => consumer.consuming, { timeoutMs: 60_000 });
    await line.publisher.publish({ queue: dead, body: Buffer.from('{}'), messageId: 'back' }, 5000);
    await eventually(() => received.includes('back'));
    await line.nothingLost();
  });
});
