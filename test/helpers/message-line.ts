import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { Channel, ChannelModel } from 'amqplib';
import { declareQueue } from '../../lib/amqp/admin';
import { AmqpConnection } from '../../lib/amqp/connection';
import { QueueConsumer, type MessageHandler } from '../../lib/amqp/consumer';
import { Publisher } from '../../lib/amqp/publisher';
import { socketOf } from '../../lib/amqp/socket-of';
import { agentQueues } from '../../lib/amqp/topology';
import type { AmqpConfig } from '../../lib/config/types';
import { eventually } from './eventually';

const TTL = { agentTtlMs: 600_000, dlqTtlMs: 600_000, validationFailuresTtlMs: 600_000 };

/** Publisher and consumer of one agent's queue, on three connections as a server node has them. */
export class MessageLine {
  readonly queue = randomUUID();
  readonly warnings: string[] = [];
  readonly publishing: AmqpConnection;
  readonly consuming: AmqpConnection;
  readonly admin: AmqpConnection;
  readonly publisher: Publisher;
  readonly consumer: QueueConsumer;
  /** Ids that the broker confirmed. */
  readonly confirmed = new Set<string>();
  /** How often each id was handed to the consumer. */
  readonly received = new Map<string, number>();
  /** Replaces the handler that takes everything. */
  handle: MessageHandler | undefined;
  private readonly log = {
    error: (text: string) => void this.warnings.push(text),
    warn: (text: string) => void this.warnings.push(text),
    info: () => undefined,
    debug: () => undefined,
  };

  constructor(config: AmqpConfig, consumeFrom: AmqpConfig = config) {
    this.publishing = new AmqpConnection(config, 'publish', this.log);
    this.consuming = new AmqpConnection(consumeFrom, 'consume', this.log);
    this.admin = new AmqpConnection(consumeFrom, 'admin', this.log);
    this.publisher = new Publisher(this.publishing, this.log);
    this.consumer = new QueueConsumer(
      this.consuming,
      { queue: this.queue, prefetch: 50, declare: () => this.declare(), handle: (...args) => this.take(...args) },
      this.log,
    );
  }

  async start(): Promise<this> {
    for (const connection of this.connections) connection.start();
    await Promise.all(this.connections.map((connection) => connection.whenOpen(20_000)));
    await this.consumer.start();
    return this;
  }

  async stop(): Promise<void> {
    await this.consumer.close();
    await Promise.all(this.connections.map((connection) => connection.stop()));
  }

  /** Publishes one message and resolves to its id when it is confirmed. */
  async send(deadlineMs = 1500, body = Buffer.from('{}')): Promise<string> {
    const messageId = randomUUID();
    await this.publisher.publish({ queue: this.queue, body, messageId }, deadlineMs);
    this.confirmed.add(messageId);
    return messageId;
  }

  /** Sends until a message is confirmed and received. */
  async flows(timeoutMs = 10_000): Promise<void> {
    const id = await eventually(() => this.send(), { timeoutMs });
    await eventually(() => this.received.has(id), { timeoutMs });
  }

  /** Sends a message every few milliseconds; what is not confirmed is repeated by nobody. */
  stream(): { stop(): Promise<void> } {
    let stopped = false;
    const run = async () => {
      while (!stopped) {
        await this.send(3000).catch(() => undefined); // its sender was told of the failure
        await pause(2); // lets the other streams in
      }
    };
    const runs = Promise.all([run(), run(), run(), run()]);
    return {
      stop: async () => {
        stopped = true;
        await runs;
      },
    };
  }

  /** Waits until every confirmed message was received. */
  async nothingLost(): Promise<void> {
    await eventually(() => expect([...this.confirmed].filter((id) => !this.received.has(id))).toEqual([]));
  }

  /** The channel in use behind the back of the code under test. */
  channelOf(of: 'publisher' | 'consumer'): Channel {
    return (this[of] as unknown as { channel: Channel }).channel;
  }

  /** The socket of a connection that is open. */
  socketOf(connection: AmqpConnection): Duplex {
    return socketOf((connection as unknown as { model: ChannelModel }).model);
  }

  private get connections(): AmqpConnection[] {
    return [this.publishing, this.consuming, this.admin];
  }

  private async declare(): Promise<void> {
    for (const queue of agentQueues(this.queue, TTL)) await declareQueue(this.admin, queue);
  }

  private take(...args: Parameters<MessageHandler>): ReturnType<MessageHandler> {
    if (this.handle) return this.handle(...args);
    const id = String(args[0].properties.messageId);
    this.received.set(id, (this.received.get(id) ?? 0) + 1);
    return Promise.resolve('ack');
  }
}
