/** RabbitMQ alone under the same load: what is published into quorum queues is confirmed, consumed and acked. */
import { connect as connectAmqp, type ChannelModel, type ConfirmChannel } from 'amqplib';
import { Driver } from './drive';
import { envelope, sealLike } from './letters';
import { serve } from './worker';

export interface RawPlan {
  /** amqp://… of the broker. */
  url: string;
  queues: string[];
  prefetch: number;
}

/** Published before their confirms are waited for. */
const FILL_STEP = 1000;
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
  publishing = await publisher.createConfirmChannel();
  for (const queue of queues) {
    const channel = await consumer.createChannel();
    await channel.assertQueue(queue, QUORUM);
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

export interface Filling {
  url: string;
  /** Each is filled with messages for the agent of its name. */
  queues: string[];
  /** In all. */
  count: number;
  payloadBytes: number;
}

/** Puts messages into the queues of agents that are away. */
async function fill({ url, queues: agents, count, payloadBytes }: Filling): Promise<void> {
  const connection = await connectAmqp(url, { noDelay: true });
  const channel = await connection.createConfirmChannel();
  const payload = sealLike(payloadBytes);
  for (let n = 0; n < count; n++) {
    const to = agents[n % agents.length] as string;
    const body = Buffer.from(envelope(n, to, to, payload));
    channel.publish('', to, body, { persistent: true, messageId: String(n), contentType: 'application/json' });
    if (n % FILL_STEP === 0) await channel.waitForConfirms();
  }
  await channel.waitForConfirms();
  await connection.close();
}

const methods = {
  connect,
  fill,
  disconnect,
  full: (load: Parameters<Driver['full']>[0]) => driver.full(load),
  paced: (load: Parameters<Driver['paced']>[0]) => driver.paced(load),
};
export type Raw = typeof methods;
serve(methods);
