import type { Channel, ConsumeMessage } from 'amqplib';
import { FinalError, RetryableError } from '../errors';
import { closing } from './closing';
import type { AmqpConnection } from './connection';
import { ANSWER_TIMEOUT_MS, within } from './within';

/**
 * Messages of a queue, taken by one consumer and held until this is closed, which puts those that were not taken out
 * back into their places: one consumer each, because what several held comes back in no order. A basic.get is a consumer
 * of its own for each message.
 */
export class HoldingChannel {
  private readonly arrived: ConsumeMessage[] = [];
  private wake: (() => void) | undefined;
  private lost: Error | undefined;
  private tag: string | undefined;
  /** Messages looked at that will go back. */
  held = 0;
  /** Messages that may still leave the queue. */
  pending = 0;

  private constructor(
    private readonly channel: Channel,
    private readonly prefetch: number,
  ) {
    // Both come before anybody can be told otherwise; the first says why.
    channel.on('error', (error: Error) => this.lose(error));
    channel.on('close', () =>
      this.lose(new RetryableError('BROKER_UNAVAILABLE', 'The channel to RabbitMQ was closed; try again')),
    );
  }

  /** Throws RetryableError BROKER_UNAVAILABLE, or TIMEOUT when the queue does not answer in time; then nothing is held. */
  static async open(connection: AmqpConnection, queue: string, prefetch: number): Promise<HoldingChannel> {
    const channel = await connection.channel((model) => model.createChannel());
    const holding = new HoldingChannel(channel, prefetch);
    const consuming = async () => {
      await channel.prefetch(prefetch);
      return channel.consume(queue, (message) => holding.take(queue, message));
    };
    try {
      holding.tag = (await within(consuming(), ANSWER_TIMEOUT_MS, `Queue ${queue} does not answer`)).consumerTag;
      return holding;
    } catch (error) {
      await holding.close();
      throw error;
    }
  }

  /** Nothing more arrives, because everything that may be held at the same time is. */
  get full(): boolean {
    return this.held >= this.prefetch;
  }

  /** The next message in the order of the queue; undefined when none came within `timeoutMs`. Throws when the channel is lost. */
  async next(timeoutMs: number): Promise<ConsumeMessage | undefined> {
    if (this.arrived.length === 0 && !this.lost) await this.arrival(timeoutMs);
    if (this.lost) throw this.lost;
    return this.arrived.shift();
  }

  /** Takes a message out of the queue once that resolves to true; otherwise, and when it rejects, the message stays. */
  async settle(message: ConsumeMessage, taking: Promise<boolean>): Promise<void> {
    this.pending += 1;
    const taken = await taking.catch(() => false);
    this.pending -= 1;
    if (taken && !this.lost) this.channel.ack(message);
    else this.held += 1;
  }

  /**
   * Has nothing more come; what was sent before has arrived by then. What is held stays held until `close`. All acks
   * from before it count: RabbitMQ keeps acks to a quorum queue back while 32 commands wait for the queue, and forgets
   * them with the channel (rabbit_fifo_client). A cancellation is answered by the queue itself, behind what it was sent
   * before; with the next answers of the channel what was kept back has been sent as well. Throws when the channel is lost,
   * and acks with it.
   */
  async cancel(): Promise<void> {
    const { tag, channel } = this;
    if (this.lost) throw this.lost;
    if (tag === undefined) return;
    const cancelling = async () => {
      await channel.cancel(tag);
      for (let answers = 0; answers < 3; answers++) await channel.prefetch(this.prefetch);
    };
    await within(cancelling(), ANSWER_TIMEOUT_MS, 'RabbitMQ cancels no consumer');
    this.tag = undefined;
  }

  /** It is one of the queue's consumers. */
  get consuming(): boolean {
    return this.tag !== undefined && !this.lost;
  }

  /** What has arrived and nobody has asked for. */
  unread(): ConsumeMessage[] {
    return this.arrived.splice(0);
  }

  /** Gives back what was not taken out. */
  close(): Promise<void> {
    this.tag = undefined;
    return closing(this.channel);
  }

  private arrival(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private take(queue: string, message: ConsumeMessage | null): void {
    if (message) this.arrived.push(message);
    else this.lose(new FinalError('QUEUE_MISSING', `Queue ${queue} was deleted`));
    this.wake?.();
  }

  private lose(error: Error): void {
    this.lost ??= error;
    this.wake?.();
  }
}
