/** RabbitMQ alone under the same load: what is published into quorum queues is confirmed, consumed and acked. */
import { connect as connectAmqp, type ChannelModel, type ConfirmChannel } from 'amqplib';
import type { Writable } from 'node:stream';
import { gatherWrites } from '../../lib/gather-writes';
import { Driver } from './drive';
import { envelope } from './letters';
import { serve } from './worker';

export interface RawPlan {
  /** amqp://… of the broker. */
  url: string;
  queues: string[];
  prefetch: number;
  arguments?: Record<string, unknown>;
}

const QUORUM = { durable: true, arguments: { 'x-queue-type': 'quorum' } };

let connections: ChannelModel[] = [];
let publishing: ConfirmChannel;
let queues: string[] = [];

const driver = new Driver((sender, n, payload) => {
  const queue = queues[sender] as string;
  const body = Buffer.from(envelope(n, queue, queue, payload));
  const options = { persistent: true, mandatory: true, messageId: String(n), contentType: 'application/json' };
  publishing.publish('', queue, body, options, (error: unknown) => driver.acked(sender, n, !error, String(error)));
});

/** Two connections and a consuming channel for each queue, as a server has them. */
async function connect(plan: RawPlan): Promise<void> {
  queues = plan.queues;
  const open = () => connectAmqp(plan.url, { noDelay: true });
  const [publisher, consumer] = await Promise.all([open(), open()]);
  connections = [publisher, consumer];
  if (process.env.GATHER)
    for (const c of connections) gatherWrites((c.connection as unknown as { stream: Writable }).stream);
  publishing = await publisher.createConfirmChannel();
  for (const queue of queues) {
    const channel = await consumer.createChannel();
    await channel.assertQueue(queue, plan.arguments ? { durable: true, arguments: plan.arguments } : QUORUM);
    await channel.prefetch(plan.prefetch);
    await channel.consume(queue, (message) => {
      if (!message) return;
      driver.arrived(message.content.toString('latin1'));
      channel.ack(message);
    });
  }
}

async function disconnect(): Promise<void> {
  for (const queue of queues) await publishing.deleteQueue(queue);
  await Promise.all(connections.map((connection) => connection.close()));
}

const methods = {
  connect,
  disconnect,
  full: (load: Parameters<Driver['full']>[0]) => driver.full(load),
  paced: (load: Parameters<Driver['paced']>[0]) => driver.paced(load),
};
export type Raw = typeof methods;
serve(methods);
