import { setImmediate as endOfTurn, setTimeout as delay } from 'node:timers/promises';
import type { Channel, ConsumeMessage } from 'amqplib';
import { messageOf } from '../errors';
import type { Log } from '../log';
import { Acks } from './acks';
import { backoffMs } from './backoff';
import { closing } from './closing';
import type { AmqpConnection } from './connection';
import { Lifetime } from './lifetime';
import { within } from './within';

/** What becomes of a delivered message: `ack` takes it out of the queue, `keep` gives it back to whoever consumes next. */
export type Settlement = 'ack' | 'keep';

/**
 * Must settle for every message and must not throw; its settlement is ignored after the end of the `lifetime`.
 */
export type MessageHandler = (message: ConsumeMessage, lifetime: Lifetime) => Promise<Settlement>;

export interface ConsumerOptions {
  queue: string;
  /** Messages unacknowledged at the same time. */
  prefetch: number;
  /** Makes the queue exist; runs before each attempt to consume. */
  declare: () => Promise<void>;
  handle: MessageHandler;
}

const RETRY_BASE_MS = 250;
const CANCEL_TIMEOUT_MS = 2000;
const RETRY_MAX_MS = 5000;
/** For a queue that is asked on a connection of its own. */
const PROBE_MAX_MS = 30_000;
/** What RabbitMQ closes the connection with when all copies of a queue that is to be consumed are away. */
const INTERNAL_ERROR = 541;
const SETUP_WAIT_MS = 3000;
/** What a queue whose leader is frozen was asked may be answered after more than a minute, or never. */
const SETUP_TIMEOUT_MS = 5000;

/**
 * Consumes one queue on a channel of its own and goes on doing so after the loss of the channel, the queue or the
 * connection. Closing the channel, never cancelling, hands unacknowledged messages back in order (RabbitMQ,
 * "Consumer Acknowledgements").
 */
export class QueueConsumer {
  private channel: Channel | null = null;
  private lifetime = new Lifetime();
  private acks: Acks | undefined;
  private timer: NodeJS.Timeout | undefined;
  private failures = 0;
  private closed = false;
  private tag: string | undefined;
  private since = 0;
  private setup: Promise<void> = Promise.resolve();
  private attempt = 0;
  /** Questions to consume that RabbitMQ has not answered. */
  private unanswered = 0;
  private probing = false;
  private readonly onOpen = () => this.restart();
  private readonly onLost = () => this.blame();

  /** Messages handed to the handler and not settled yet. */
  inFlight = 0;

  constructor(
    private readonly connection: AmqpConnection,
    private readonly options: ConsumerOptions,
    private readonly log: Log,
    private readonly setupTimeoutMs = SETUP_TIMEOUT_MS,
  ) {}

  /** Whether the broker hands out the queue's messages here right now. */
  get consuming(): boolean {
    return this.channel !== null && this.tag !== undefined && !this.closed;
  }

  /** For how long it has been consuming, ms; 0 while it does not. */
  get consumingForMs(): number {
    return this.consuming ? performance.now() - this.since : 0;
  }

  /** Starts consuming; returns when the first attempt ended, well or not: a failed one is repeated with back-off. */
  async start(): Promise<void> {
    this.connection.on('open', this.onOpen).on('close', this.onLost);
    this.restart();
    await this.setup;
  }

  /**
   * Takes no further message; what is in flight can still be settled on its channel. `close` comes after it, and hands
   * the rest back: a cancelled consumer keeps what it has not acknowledged.
   */
  async quiesce(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    this.connection.off('open', this.onOpen).off('close', this.onLost);
    await this.setup;
    const { channel, tag } = this;
    if (!channel || tag === undefined) return;
    // A broker that does not answer must not hold up a node that leaves; a lost channel consumes no more anyway.
    const cancelling = (async () => channel.cancel(tag))();
    await within(cancelling, CANCEL_TIMEOUT_MS, 'RabbitMQ cancels no consumer').catch(() => undefined);
  }

  /** Hands what is in flight back to the queue and ends. */
  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    this.connection.off('open', this.onOpen).off('close', this.onLost);
    // A set-up that a frozen broker does not answer ends with its connection, and by then finds this one closed.
    await Promise.race([this.setup, delay(SETUP_WAIT_MS, undefined, { ref: false })]);
    // What is settled in this very turn is still acked: an agent that answers and leaves must not get it again.
    await endOfTurn();
    const channel = this.channel;
    this.acks?.flush();
    this.lose(channel);
    if (channel) await closing(channel);
  }

  private restart(): void {
    clearTimeout(this.timer);
    if (this.closed || !this.connection.isOpen) return; // 'open' starts it again
    if (this.connection.probes.isSuspect(this.options.queue)) return void this.probe();
    this.setup = this.setup.then(() => this.consume());
  }

  /** The loss of the connection may be this one's doing. */
  private blame(): void {
    if (this.unanswered === 0 || this.connection.lostBy !== INTERNAL_ERROR) return;
    if (this.connection.probes.blame(this.options.queue))
      this.warn('RabbitMQ may have closed the connection for it, so it is asked on one of its own first');
  }

  /** Comes back to the shared connection when the queue has answered elsewhere. */
  private async probe(): Promise<void> {
    if (this.probing) return;
    this.probing = true;
    try {
      await this.connection.probes.probe(this.options.queue, () => !this.closed);
    } catch (error) {
      return this.retry(messageOf(error));
    } finally {
      this.probing = false;
    }
    this.restart();
  }

  private async consume(): Promise<void> {
    if (this.closed || this.channel || !this.connection.isOpen) return;
    const attempt = ++this.attempt;
    try {
      await this.options.declare(); // each of its questions has a deadline of its own
      await within(this.setUp(attempt), this.setupTimeoutMs, 'RabbitMQ sets up no consumer');
      this.failures = 0;
    } catch (error) {
      this.attempt += 1; // what is answered after all must not become a second consumer
      this.giveUp();
      this.retry(messageOf(error));
    }
  }

  private async setUp(attempt: number): Promise<void> {
    const channel = await this.connection.channel((model) => model.createChannel());
    channel.on('error', (error: Error) => this.warn(error.message));
    if (attempt !== this.attempt) return void closing(channel);
    this.adopt(channel);
    if (this.closed) return this.giveUp();
    await channel.prefetch(this.options.prefetch);
    const { consumerTag } = await this.ask(channel);
    this.connection.probes.acquit(this.options.queue);
    if (this.channel !== channel) return;
    this.tag = consumerTag;
    this.since = performance.now();
  }

  private async ask(channel: Channel): Promise<{ consumerTag: string }> {
    this.unanswered += 1;
    try {
      return await channel.consume(this.options.queue, (message) => this.take(channel, message));
    } finally {
      this.unanswered -= 1;
    }
  }

  private adopt(channel: Channel): void {
    this.lifetime = new Lifetime();
    this.acks = new Acks(channel, (error) => this.warn(messageOf(error)));
    this.channel = channel;
    channel.on('close', () => {
      if (this.lose(channel)) this.retry('its channel was closed');
    });
  }

  /** Lets go of the channel; false when it was let go before. */
  private lose(channel: Channel | null): boolean {
    if (channel === null || this.channel !== channel) return false;
    this.channel = null;
    this.tag = undefined;
    this.inFlight = 0;
    this.acks?.forget();
    this.lifetime.end();
    return true;
  }

  /** What failed has closed the channel, as a rule; one that stayed would keep the next attempt from being made. */
  private giveUp(): void {
    const { channel } = this;
    if (this.lose(channel)) channel?.close().catch(() => undefined);
  }

  private retry(why: string): void {
    if (this.closed) return;
    this.failures += 1;
    if (this.failures === 1) this.log.warn(`consumer of ${this.options.queue} starts again: ${why}`);
    clearTimeout(this.timer);
    const longest = this.connection.probes.isSuspect(this.options.queue) ? PROBE_MAX_MS : RETRY_MAX_MS;
    this.timer = setTimeout(() => this.restart(), backoffMs(this.failures, RETRY_BASE_MS, longest));
  }

  private take(channel: Channel, message: ConsumeMessage | null): void {
    if (message === null) {
      // The queue was deleted; the channel lives on without a consumer, so it is closed to begin anew.
      channel.close().catch(() => undefined);
      return;
    }
    if (this.channel !== channel) return; // given up: it goes back when that channel is closed
    this.inFlight += 1;
    this.acks?.delivered(message);
    void this.work(channel, message);
  }

  private async work(channel: Channel, message: ConsumeMessage): Promise<void> {
    let settlement: Settlement = 'keep';
    try {
      settlement = await this.options.handle(message, this.lifetime);
    } catch (error) {
      this.log.error(`consumer of ${this.options.queue}: the handler threw: ${messageOf(error)}`);
    }
    this.settle(channel, message, settlement);
  }

  /** The one place that acks. A message of a lost channel is redelivered by the broker and must not be acked here. */
  private settle(channel: Channel, message: ConsumeMessage, settlement: Settlement): void {
    if (this.channel !== channel) return;
    this.inFlight -= 1;
    if (settlement === 'ack') return this.acks?.add(message);
    // Its place in the queue is kept only by a channel that closes; the consumer comes back after a pause.
    this.acks?.flush();
    channel.close().catch(() => undefined);
  }

  private warn(what: string): void {
    this.log.warn(`consumer of ${this.options.queue}: ${what}`);
  }
}
