import { EventEmitter } from 'node:events';
import type { Channel, ChannelModel } from 'amqplib';
import type { AmqpConfig, AmqpHost } from '../config/types';
import { messageOf, RetryableError } from '../errors';
import { gatherWrites } from '../gather-writes';
import type { Log } from '../log';
import { backoffMs } from './backoff';
import { closing, letGo } from './closing';
import { writeDirectly } from './direct-writes';
import { ConsumeProbes } from './consume-probes';
import { connectTo, rotated } from './endpoint';
import { replyCode } from './admin';
import { socketOf } from './socket-of';
import { ANSWER_TIMEOUT_MS, within } from './within';

/** A queue whose leader was lost with its node elects another meanwhile; whoever comes sooner is nacked. */
const FIRST_RETRY_MS = 1000;
const NEXT_HOST_MS = 50;

/**
 * One AMQP connection that comes back by itself, to the next host of the configuration each time: the others follow at
 * once when one cannot be reached, and pauses grow with each round of all. Emits `open` (a new ChannelModel is current), `close` (it is gone, and
 * every channel with it) and `blocked` / `unblocked` (the broker is in memory or disk alarm).
 */
export class AmqpConnection extends EventEmitter<{ open: [ChannelModel]; close: []; blocked: []; unblocked: [] }> {
  private model: ChannelModel | null = null;
  private version: string | undefined;
  private timer: NodeJS.Timeout | undefined;
  private failures = 0;
  private readonly hosts: AmqpHost[];
  private next = 0;
  /** Where it goes, or went last. */
  private host: AmqpHost | undefined;
  private stopping = false;
  private attempt: Promise<void> = Promise.resolve();
  blocked = false;
  /** The reply code with which the broker closed the connection, if it gave one; undefined once there is another. */
  lostBy: number | undefined;
  readonly probes: ConsumeProbes;

  constructor(
    private readonly config: AmqpConfig,
    /** Shown in the broker's list of connections. */
    private readonly name: string,
    private readonly log: Log,
  ) {
    super();
    this.setMaxListeners(0);
    this.hosts = rotated(config.hosts);
    this.probes = new ConsumeProbes((...question) => this.apart(...question));
  }

  get isOpen(): boolean {
    return this.model !== null;
  }

  /** The version that the broker gave when it was connected last; undefined before. */
  get brokerVersion(): string | undefined {
    return this.version;
  }

  /**
   * Opens a channel that is alive; whoever gets it listens to its events in the same turn. One whose connection was lost
   * as it opened has told nobody and would be dead for good. Throws RetryableError BROKER_UNAVAILABLE.
   */
  async channel<C>(create: (model: ChannelModel) => Promise<C>): Promise<C> {
    const { model } = this;
    const channel = model && (await create(model));
    if (channel && this.model === model) return channel;
    throw unavailable('RabbitMQ is not connected; the connection is being tried again');
  }

  /**
   * Asks a question that may cost the connection on a second one to the same host. Throws what the question does,
   * RetryableError TIMEOUT `late` where it is not answered in time, BROKER_UNAVAILABLE.
   */
  async apart<T>(question: (channel: Channel) => Promise<T>, late: string): Promise<T> {
    const model = await this.another();
    model.on('error', () => undefined); // the question fails with it
    const asked = async () => {
      const channel = await model.createChannel();
      channel.on('error', () => undefined); // the question fails with it
      return question(channel);
    };
    try {
      return await within(asked(), ANSWER_TIMEOUT_MS, late);
    } finally {
      // Nobody waits for it: a broker that does not answer the question does not answer this either.
      void closing(model).then(() => letGo(model));
    }
  }

  private async another(): Promise<ChannelModel> {
    if (!this.model || !this.host) throw unavailable('RabbitMQ is not connected; the connection is being tried again');
    try {
      return await connectTo(this.config, this.host, this.name);
    } catch (error) {
      throw unavailable(`RabbitMQ takes no further connection: ${messageOf(error)}`);
    }
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
        reject(unavailable(`RabbitMQ could not be reached within ${timeoutMs} ms`));
      }, timeoutMs);
      this.once('open', opened);
    });
  }

  /** Gives the connection up, as one that stands still would not even be closed; it comes back as after any loss. */
  abandon(why: string): void {
    if (this.model) socketOf(this.model).destroy(new Error(why));
  }

  /** Closes for good. */
  async stop(): Promise<void> {
    this.stopping = true;
    clearTimeout(this.timer);
    await this.attempt;
    const model = this.model;
    this.model = null;
    if (!model) return;
    await closing(model);
    letGo(model);
  }

  private async open(): Promise<void> {
    const at = this.hosts[this.next] as AmqpHost;
    this.next = (this.next + 1) % this.hosts.length;
    this.host = at;
    try {
      this.opened(await connectTo(this.config, at, this.name));
    } catch (error) {
      this.failures += 1;
      if (this.failures <= this.hosts.length)
        this.log.warn(`RabbitMQ (${this.name}) at ${at.host}:${at.port} cannot be reached: ${messageOf(error)}`);
      this.retry();
    }
  }

  private opened(model: ChannelModel): void {
    // Without a listener an 'error' event ends the process; 'close' follows it and does the work.
    model.on('error', (error: Error) => {
      this.lostBy = replyCode(error);
      this.log.warn(`RabbitMQ (${this.name}): ${error.message}`);
    });
    model.on('close', () => this.closed(model));
    model.on('blocked', () => this.setBlocked(true));
    model.on('unblocked', () => this.setBlocked(false));
    gatherWrites(socketOf(model));
    writeDirectly(model);
    this.model = model;
    this.lostBy = undefined;
    this.version = model.connection.serverProperties?.version; // a broker in a test may give none
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
    letGo(model);
    this.setBlocked(false);
    this.emit('close');
    if (this.stopping) return;
    this.log.warn(`RabbitMQ (${this.name}) connection lost`);
    this.retry();
  }

  private retry(): void {
    if (this.stopping) return;
    this.timer = setTimeout(() => {
      this.attempt = this.open();
    }, this.pauseMs());
  }

  /** Within a round of all hosts hardly any; after a round, and after a loss, the back-off. */
  private pauseMs(): number {
    const rounds = this.failures / this.hosts.length;
    if (!Number.isInteger(rounds)) return NEXT_HOST_MS;
    return backoffMs(Math.max(1, rounds), FIRST_RETRY_MS, this.config.reconnectMaxMs);
  }

  private setBlocked(blocked: boolean): void {
    if (this.blocked === blocked) return;
    this.blocked = blocked;
    this.log.warn(`RabbitMQ (${this.name}) ${blocked ? 'blocks publishing: memory or disk alarm' : 'accepts again'}`);
    this.emit(blocked ? 'blocked' : 'unblocked');
  }
}

function unavailable(why: string): RetryableError {
  return new RetryableError('BROKER_UNAVAILABLE', why);
}
