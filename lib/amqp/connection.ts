import { EventEmitter } from 'node:events';
import { connect, type ChannelModel } from 'amqplib';
import type { AmqpConfig } from '../config/types';
import { messageOf, RetryableError } from '../errors';
import type { Log } from '../log';
import { backoffMs } from './backoff';
import { closing } from './closing';

const HEARTBEAT_S = 10;
const CONNECT_TIMEOUT_MS = 10_000;
const FIRST_RETRY_MS = 250;

/**
 * One AMQP connection that comes back by itself. Emits `open` (a new ChannelModel is current), `close` (it is gone, and
 * every channel with it) and `blocked` / `unblocked` (the broker is in memory or disk alarm).
 */
export class AmqpConnection extends EventEmitter<{ open: [ChannelModel]; close: []; blocked: []; unblocked: [] }> {
  private model: ChannelModel | null = null;
  private timer: NodeJS.Timeout | undefined;
  private failures = 0;
  private stopping = false;
  private attempt: Promise<void> = Promise.resolve();
  blocked = false;

  constructor(
    private readonly config: AmqpConfig,
    /** Shown in the broker's list of connections. */
    private readonly name: string,
    private readonly log: Log,
  ) {
    super();
    this.setMaxListeners(0);
  }

  get isOpen(): boolean {
    return this.model !== null;
  }

  /**
   * Opens a channel that is alive; whoever gets it listens to its events in the same turn. One whose connection was lost
   * as it opened has told nobody and would be dead for good. Throws RetryableError BROKER_UNAVAILABLE.
   */
  async channel<C>(create: (model: ChannelModel) => Promise<C>): Promise<C> {
    const { model } = this;
    const channel = model && (await create(model));
    if (channel && this.model === model) return channel;
    throw new RetryableError('BROKER_UNAVAILABLE', 'RabbitMQ is not connected; the connection is being tried again');
  }

  /** Starts connecting; returns at once, because a broker that is away must not keep a node from starting. */
  start(): void {
    this.attempt = this.open();
  }

  /** Resolves as soon as the connection is open; rejects with BROKER_UNAVAILABLE past `timeoutMs`. */
  async whenOpen(timeoutMs: number): Promise<ChannelModel> {
    if (this.model) return this.model;
    return new Promise((resolve, reject) => {
      const opened = (model: ChannelModel) => {
        clearTimeout(timer);
        resolve(model);
      };
      const timer = setTimeout(() => {
        this.off('open', opened);
        reject(new RetryableError('BROKER_UNAVAILABLE', `RabbitMQ could not be reached within ${timeoutMs} ms`));
      }, timeoutMs);
      this.once('open', opened);
    });
  }

  /** Closes for good. */
  async stop(): Promise<void> {
    this.stopping = true;
    clearTimeout(this.timer);
    await this.attempt;
    const model = this.model;
    this.model = null;
    if (model) await closing(model);
  }

  private async open(): Promise<void> {
    const { host, port, user, password, vhost } = this.config;
    try {
      const model = await connect(
        { protocol: 'amqp', hostname: host, port, username: user, password, vhost, heartbeat: HEARTBEAT_S },
        { noDelay: true, timeout: CONNECT_TIMEOUT_MS, clientProperties: { connection_name: this.name } },
      );
      this.opened(model);
    } catch (error) {
      if (this.failures === 0) this.log.warn(`RabbitMQ (${this.name}) cannot be reached: ${messageOf(error)}`);
      this.retry();
    }
  }

  private opened(model: ChannelModel): void {
    // Without a listener an 'error' event ends the process; 'close' follows it and does the work.
    model.on('error', (error: Error) => this.log.warn(`RabbitMQ (${this.name}): ${error.message}`));
    model.on('close', () => this.closed(model));
    model.on('blocked', () => this.setBlocked(true));
    model.on('unblocked', () => this.setBlocked(false));
    this.model = model;
    this.failures = 0;
    this.log.info(`RabbitMQ (${this.name}) connected`);
    this.emit('open', model);
    void this.probe(model);
  }

  /** A connection that was lost as it opened has told nobody: it was too early for listeners. It opens no channel. */
  private async probe(model: ChannelModel): Promise<void> {
    try {
      await closing(await model.createChannel());
    } catch {
      await closing(model);
      this.closed(model);
    }
  }

  private closed(model: ChannelModel): void {
    if (this.model !== model) return;
    this.model = null;
    this.setBlocked(false);
    this.emit('close');
    if (this.stopping) return;
    this.log.warn(`RabbitMQ (${this.name}) connection lost`);
    this.retry();
  }

  private retry(): void {
    if (this.stopping) return;
    this.failures += 1;
    const wait = backoffMs(this.failures, FIRST_RETRY_MS, this.config.reconnectMaxMs);
    this.timer = setTimeout(() => {
      this.attempt = this.open();
    }, wait);
  }

  private setBlocked(blocked: boolean): void {
    if (this.blocked === blocked) return;
    this.blocked = blocked;
    this.log.warn(`RabbitMQ (${this.name}) ${blocked ? 'blocks publishing: memory or disk alarm' : 'accepts again'}`);
    this.emit(blocked ? 'blocked' : 'unblocked');
  }
}
