import { connect, type Channel, type ChannelModel, type GetMessage } from 'amqplib';
import { replyCode } from '../../lib/amqp/admin';
import { eventually } from './eventually';
import type { TestAmqp } from './rabbitmq';

/** A message as it lay in a queue. */
export interface QueuedMessage {
  /** Parsed JSON; the text itself where it is none. */
  body: unknown;
  headers: Record<string, unknown>;
  messageId: unknown;
  persistent: boolean;
}

/** The queues of a vhost over plain AMQP, on a connection that is none of the code under test. */
export class Queues {
  private connecting: Promise<ChannelModel> | undefined;

  constructor(private readonly amqp: TestAmqp) {}

  /** Declares a durable queue with exactly these arguments. */
  async declare(queue: string, queueArguments: Record<string, unknown>): Promise<void> {
    await this.onChannel((channel) => channel.assertQueue(queue, { durable: true, arguments: queueArguments }));
  }

  /** Deletes a queue with all that is in it. */
  async remove(queue: string): Promise<void> {
    await this.onChannel((channel) => channel.deleteQueue(queue));
  }

  /** Puts a body into a queue, as it is when it is a text or else as JSON, and waits for the confirm. */
  async put(queue: string, body: unknown): Promise<void> {
    const content = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
    const channel = await (await this.connection()).createConfirmChannel();
    channel.sendToQueue(queue, content, { persistent: true });
    await channel.waitForConfirms();
    await channel.close();
  }

  /** Puts messages with an id, and headers of their own, into a queue in this order, and waits for the confirms. */
  async putAll(queue: string, messages: { id: string; body: unknown; headers?: object }[]): Promise<void> {
    const channel = await (await this.connection()).createConfirmChannel();
    for (const { id, body, headers } of messages) {
      const content = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
      channel.sendToQueue(queue, content, { persistent: true, messageId: id, headers });
    }
    await channel.waitForConfirms();
    await channel.close();
  }

  /** Messages ready and consumers; undefined when there is no such queue. Right at once, unlike statistics. */
  async look(queue: string): Promise<{ ready: number; consumers: number } | undefined> {
    try {
      const { messageCount, consumerCount } = await this.onChannel((channel) => channel.checkQueue(queue));
      return { ready: messageCount, consumers: consumerCount };
    } catch (error) {
      if (replyCode(error) === 404) return undefined;
      throw error;
    }
  }

  /** Takes out everything that is ready, in order; nothing when there is no such queue. */
  async drain(queue: string): Promise<QueuedMessage[]> {
    if (!(await this.look(queue))) return [];
    return this.onChannel(async (channel) => {
      const messages: QueuedMessage[] = [];
      for (let message = await channel.get(queue); message; message = await channel.get(queue)) {
        messages.push(toQueued(message));
        channel.ack(message);
      }
      return messages;
    });
  }

  /** Waits until a queue holds as many messages, ready to be taken, and takes them out. */
  async waitFor(queue: string, count: number, timeoutMs = 10_000): Promise<QueuedMessage[]> {
    await eventually(async () => ((await this.look(queue))?.ready ?? 0) >= count, { timeoutMs });
    return this.drain(queue);
  }

  /**
   * Waits until nobody consumes the queue, so that whatever was not acknowledged is back in it, and takes all of that
   * out: nothing means that everything had been acknowledged.
   */
  async leftAfterConsumer(queue: string): Promise<QueuedMessage[]> {
    await eventually(async () => (await this.look(queue))?.consumers === 0);
    return this.drain(queue);
  }

  /** The next operation opens it again. */
  async close(): Promise<void> {
    const connection = await this.connecting;
    this.connecting = undefined;
    await connection?.close();
  }

  private connection(): Promise<ChannelModel> {
    const { host: hostname, port, user: username, password, vhost } = this.amqp;
    this.connecting ??= connect({ hostname, port, username, password, vhost }, { noDelay: true });
    return this.connecting;
  }

  /** A channel for one operation: an error of the protocol closes it. */
  private async onChannel<T>(work: (channel: Channel) => Promise<T>): Promise<T> {
    const channel = await (await this.connection()).createChannel();
    channel.on('error', () => undefined); // the operation rejects with it as well
    try {
      return await work(channel);
    } finally {
      await channel.close().catch(() => undefined); // closed by that error
    }
  }
}

function toQueued({ content, properties }: GetMessage): QueuedMessage {
  const { headers, messageId, deliveryMode } = properties as unknown as Record<string, unknown>;
  return {
    body: parse(content.toString()),
    headers: { ...(headers ?? {}) },
    messageId,
    persistent: deliveryMode === 2,
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
