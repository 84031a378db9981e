import { setTimeout as delay } from 'node:timers/promises';
import type { ConsumeMessage } from 'amqplib';
import { FinalError } from '../errors';
import { lookAtQueue, queueDepth, seemsEmpty, type QueueLook } from './admin';
import type { AmqpConnection } from './connection';
import { HoldingChannel } from './holding-channel';
import { isQueueBusy, queueBusy, withQueueLock } from './queue-lock';
import { confirmEmpty } from './really-empty';

/** What one channel holds back, and what may be on its way here at the same time: with it, how much memory a scan takes. */
const HELD_PER_CHANNEL = 250;
/** So many are taken at first beyond what was asked for, then as many as there are: the rest may never have been given out. */
const GO_ON_WITH = 16;
/** A connection has 2,047 channels; the rest is for its other work. */
const MAX_CHANNELS = 1200;
const IDLE_MS = 500;
/** For the rest of what was given back before, beyond the deadline. */
const GO_ON_MS = 20_000;
const RETURN_LIMIT_MS = 2000;
const RETURN_LOOK_MS = 5;
/** For whoever else goes through the queue; a look at its head, the shortest way through, is over by then as a rule. */
const BUSY_WAIT_MS = 2000;
/** Each look in vain is a line in RabbitMQ's log. */
const BUSY_LOOK_MS = 200;

/**
 * What becomes of a message that was looked at: `stay` puts it back into its place at the end of the scan, `end` does so
 * too and looks at no further one, and `taking` takes it out of the queue once it resolves to true.
 */
export type Verdict = 'stay' | 'end' | { taking: Promise<boolean> };

export interface ScanOptions {
  /** Messages to look at, at the most. */
  limit?: number;
  /** No further message is looked at after so long, ms. */
  timeoutMs: number;
  /** Only where nobody consumes the queue, as what comes back would be late for its consumer; otherwise QUEUE_BUSY at once. */
  ifUnused?: boolean;
  look: (message: ConsumeMessage) => Promise<Verdict>;
  /**
   * Asked for each message that would go back: a promise for one that must not, as it has gone back too often. Then a
   * copy takes its place, and it leaves the queue once the promise resolves to true.
   */
  renew: (message: ConsumeMessage) => Promise<boolean> | undefined;
  /** Ends it: no further message is looked at, and what was given back before may change its order. */
  signal: AbortSignal;
}

export interface Scanned {
  /** Ready messages as it began. */
  total: number;
  looked: number;
  /** Everything was looked at that was there as it began. */
  complete: boolean;
}

/**
 * Goes through a queue from its head, as far as it reached when that began, without disturbing the order of what stays.
 * Each look counts as one delivery of each message. A process that dies on the way gives everything back.
 * Throws RetryableError QUEUE_BUSY where somebody else goes through it for longer than 2 s, TIMEOUT or QUEUE_UNSURE where
 * the queue does not say itself that it is empty, or BROKER_UNAVAILABLE; FinalError QUEUE_MISSING.
 */
export async function scanQueue(connection: AmqpConnection, queue: string, options: ScanOptions): Promise<Scanned> {
  const waitUntil = Date.now() + (options.ifUnused ? 0 : BUSY_WAIT_MS);
  for (;;) {
    try {
      return await scanNow(connection, queue, options);
    } catch (error) {
      if (!isQueueBusy(error) || Date.now() >= waitUntil || options.signal.aborted) throw error;
      await delay(BUSY_LOOK_MS);
    }
  }
}

async function scanNow(connection: AmqpConnection, queue: string, options: ScanOptions): Promise<Scanned> {
  const look = await lookAtQueue(connection, queue);
  if (look === undefined) throw new FinalError('QUEUE_MISSING', `RabbitMQ has no queue ${queue}`);
  if (seemsEmpty(look)) return nothing(connection, queue);
  return withQueueLock(connection, queue, async () => {
    const { ready: total, consumers } = (await lookAtQueue(connection, queue)) ?? { ready: 0, consumers: 0 };
    // What seems empty may be in the consumer's hands.
    if (consumers > 0 && (options.ifUnused || total === 0)) throw queueBusy(queue);
    if (total === 0) return nothing(connection, queue);
    const looked = await new Scan(connection, queue, total, options).run();
    return { total, looked, complete: looked >= total };
  });
}

async function nothing(connection: AmqpConnection, queue: string): Promise<Scanned> {
  await confirmEmpty(connection, queue);
  return { total: 0, looked: 0, complete: true };
}

class Scan {
  private ended = false;
  private looked = 0;
  /** Messages that came, looked at or not. */
  private passed = 0;
  /** The last one had been given back before. */
  private amongReturned = false;
  private readonly wanted: number;
  private readonly deadline: number;
  private readonly channels: HoldingChannel[] = [];
  private readonly takings = new Set<Promise<unknown>>();

  constructor(
    private readonly connection: AmqpConnection,
    private readonly queue: string,
    private readonly total: number,
    private readonly options: ScanOptions,
  ) {
    this.wanted = Math.min(total, options.limit ?? Infinity);
    this.deadline = Date.now() + options.timeoutMs;
  }

  async run(): Promise<number> {
    try {
      while (this.looksOn() || this.mustGoOn()) {
        const channel = await this.open();
        await this.through(channel);
        await Promise.all(this.takings); // their acks come before the cancellation, see there
        await channel.cancel();
        for (const message of channel.unread()) this.pass(message, channel);
      }
    } finally {
      await Promise.all(this.takings);
      await this.giveBack();
    }
    return this.looked;
  }

  private looksOn(): boolean {
    return this.mayTake && !this.ended && this.looked < this.wanted && Date.now() < this.deadline;
  }

  /**
   * What was given back before lies in front of everything else, and what is given back now comes behind it: who takes a
   * part of it puts that behind the rest. So all of it is taken.
   */
  private mustGoOn(): boolean {
    return this.mayTake && this.amongReturned && this.passed < this.total && Date.now() < this.deadline + GO_ON_MS;
  }

  private get mayTake(): boolean {
    return this.channels.length < MAX_CHANNELS && !this.options.signal.aborted;
  }

  private async open(): Promise<HoldingChannel> {
    const asked = this.looksOn()
      ? this.wanted - this.passed
      : Math.min(this.total - this.passed, Math.max(GO_ON_WITH, this.passed));
    const prefetch = Math.min(HELD_PER_CHANNEL, asked);
    const channel = await HoldingChannel.open(this.connection, this.queue, Math.max(1, prefetch));
    this.channels.push(channel);
    return channel;
  }

  /** Looks at messages until this channel holds all that it can. */
  private async through(channel: HoldingChannel): Promise<void> {
    while (!channel.full && (this.looksOn() || this.mustGoOn())) {
      const message = await channel.next(IDLE_MS);
      if (message && this.looksOn()) await this.decide(channel, message);
      else if (message) this.pass(message, channel);
      else if (channel.pending === 0 && !(await queueDepth(this.connection, this.queue))) {
        this.ended = true;
        this.amongReturned = false;
      }
    }
  }

  private async decide(channel: HoldingChannel, message: ConsumeMessage): Promise<void> {
    this.looked += 1;
    const verdict = await this.options.look(message);
    if (verdict === 'end') this.ended = true;
    if (typeof verdict === 'string') return this.pass(message, channel);
    this.note(message);
    const renewed = async () => (await this.options.renew(message)) ?? false;
    this.settle(
      message,
      channel,
      verdict.taking.then((taken) => taken || renewed()),
    );
  }

  /** Leaves a message where it is. */
  private pass(message: ConsumeMessage, channel: HoldingChannel): void {
    this.note(message);
    const renewed = this.options.renew(message);
    if (renewed) this.settle(message, channel, renewed);
    else channel.held += 1;
  }

  private note({ fields }: ConsumeMessage): void {
    this.passed += 1;
    this.amongReturned = fields.redelivered;
  }

  private settle(message: ConsumeMessage, channel: HoldingChannel, taking: Promise<boolean>): void {
    const settled = channel.settle(message, taking).finally(() => this.takings.delete(settled));
    this.takings.add(settled);
  }

  /**
   * What was nearest to the head goes back first, and is there before the next follows, or anybody else looks; unless a
   * consumer has come, who takes it at once.
   */
  private async giveBack(): Promise<void> {
    for (const channel of this.channels) {
      const expected = channel.held === 0 ? 0 : ((await this.look())?.ready ?? 0) + channel.held;
      await channel.close();
      const end = Date.now() + RETURN_LIMIT_MS;
      while (expected > 0 && Date.now() < end) {
        const now = await this.look();
        if (!now || now.ready >= expected || now.consumers > this.ownConsumers) break;
        await delay(RETURN_LOOK_MS);
      }
    }
  }

  private get ownConsumers(): number {
    return this.channels.filter(({ consuming }) => consuming).length;
  }

  /** Undefined also where RabbitMQ is lost: everything has gone back then. */
  private look(): Promise<QueueLook | undefined> {
    return lookAtQueue(this.connection, this.queue).catch(() => undefined);
  }
}
