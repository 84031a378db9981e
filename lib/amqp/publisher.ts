import { setTimeout as delay } from 'node:timers/promises';
import type { ConfirmChannel, Message } from 'amqplib';
import { messageOf, RetryableError } from '../errors';
import type { Log } from '../log';
import type { AmqpConnection } from './connection';
import { closing } from './closing';
import { HeldError, isNack, NackedError, unavailable, UnroutableError } from './publish-errors';
import { Refusals } from './refusals';
import { SilentQueues, type Sent } from './silent-queues';
import { within } from './within';

export interface Publication {
  queue: string;
  body: Buffer;
  messageId: string;
  headers?: Record<string, unknown>;
  /** Lifetime in the queue where that is to be shorter than the queue's, ms. */
  expirationMs?: number;
}

/** A channel that is opened within an election of a queue's leader may be lost for that queue. */
const REOPEN_DELAY_MS = 250;
const OPEN_TIMEOUT_MS = 5000;
/**
 * Longer than the election after a leader was frozen (6 s, RabbitMQ 3.10). A channel that knows the queue goes on after
 * it by itself; one that is opened meanwhile is stuck on the frozen leader with its first message.
 */
const SILENT_MS = 10_000;
/** Longer than any deadline in use. */
const RETIRED_MS = 10_000;
/** What may wait, unsent or unconfirmed: past it a message is refused at once, as memory would run out otherwise. */
const MAX_HELD_BYTES = 64 * 2 ** 20;
/** What one message that waits takes beside its body, about. */
const ENTRY_BYTES = 1024;

/** Publishes persistent, mandatory messages into queues; each promise is that message's confirm. */
export class Publisher {
  private channel: ConfirmChannel | null = null;
  private opening: Promise<ConfirmChannel> | null = null;
  /** Set while the socket's buffer is full; ends when it has drained or the channel is gone. */
  private full: { over: Promise<void>; end: () => void } | null = null;
  /** Set while somebody waits for the end of an alarm. */
  private alarm: Promise<void> | null = null;
  private readonly returned = new Map<string, number>();
  private lastConfirmAt = 0;
  /** When the first message was sent that waited its whole time and saw none confirmed; 0 since there was a confirm. */
  private silentSince = 0;
  private heldBytes = 0;
  private readonly refusals = new Refusals();
  private readonly silent = new SilentQueues();
  /** Channels of one message each. */
  private readonly probing = new Set<ConfirmChannel>();
  private openedAt = 0;
  private replacing = false;

  constructor(
    private readonly connection: AmqpConnection,
    private readonly log: Log,
    /** Hears how long each confirm took, s, those included that came too late for their message. */
    private readonly onConfirm: (seconds: number) => void = () => undefined,
  ) {}

  /** True while a channel is open, whether the broker takes messages or not. */
  get isOpen(): boolean {
    return this.channel !== null;
  }

  /** True while a channel is open and the broker takes messages. */
  get ready(): boolean {
    return this.isOpen && !this.connection.blocked;
  }

  /** Opens the channel ahead of the first message. */
  async open(timeoutMs: number): Promise<void> {
    await this.openChannel(timeoutMs);
  }

  /**
   * Resolves when the broker confirmed the message. While the outcome is unknown it is published again with the same id
   * until `deadlineMs` from now: the receiver drops the second copy. An attempt waits for its confirm, or for the loss of
   * its channel, as long as there is time: a copy in vain would only add to what a slow broker has to do. Throws
   * UnroutableError, or RetryableError BROKER_UNAVAILABLE; at once when too much waits already, or the queue refuses
   * or does not answer.
   */
  async publish(publication: Publication, deadlineMs: number): Promise<void> {
    const size = publication.body.length + ENTRY_BYTES;
    if (this.heldBytes + size > MAX_HELD_BYTES)
      throw unavailable('RabbitMQ is behind and too much waits for it already');
    const startedAt = Date.now();
    const deadline = startedAt + deadlineMs;
    let last: unknown;
    this.heldBytes += size;
    try {
      while (Date.now() < deadline) {
        try {
          const channel = this.free ?? (await this.writable(deadline));
          if (this.silent.holds(publication.queue)) return await this.probe(publication, deadline);
          // One function for all of it: what waits for its confirm is the most that a busy node keeps in memory.
          return await this.confirmed(channel, publication, deadline);
        } catch (error) {
          if (error instanceof UnroutableError) throw error;
          if (error instanceof NackedError && this.refusals.has(publication.queue))
            throw unavailable(error.message, error);
          if (error instanceof HeldError && error.isSilent) throw unavailable(error.message, error);
          last = error;
          await delay(Math.min(REOPEN_DELAY_MS, Math.max(1, deadline - Date.now())));
        }
      }
    } finally {
      this.heldBytes -= size;
    }
    if (this.lastConfirmAt < startedAt) this.inVain(startedAt);
    throw unavailable(`RabbitMQ did not confirm the message within ${deadlineMs} ms`, last);
  }

  /** The channel while it takes messages. */
  private get free(): ConfirmChannel | null {
    return this.ready && !this.full ? this.channel : null;
  }

  /**
   * Waits for a channel that takes messages. What is written to a blocked connection would be read after the alarm,
   * when its sender has been told of a failure; what is written to a full one would fill our memory.
   */
  private async writable(until: number): Promise<ConfirmChannel> {
    for (;;) {
      const left = until - Date.now();
      if (this.connection.blocked) await within(this.unblocked(), left, 'RabbitMQ is in memory or disk alarm');
      else if (!this.channel) await this.openChannel(left);
      else if (this.full) await within(this.full.over, left, 'RabbitMQ takes nothing for now');
      else return this.channel;
    }
  }

  /**
   * Sends the message on a channel of its own, where it stops nobody when it is not answered, and one at a time. When it
   * is confirmed, that channel becomes everybody's: for this queue the other one may be stuck for good.
   */
  private async probe(publication: Publication, until: number): Promise<void> {
    const { queue } = publication;
    if (!this.silent.mayProbe(queue)) throw new HeldError(queue, this.silent.has(queue));
    let channel: ConfirmChannel | undefined;
    try {
      channel = await this.probingChannel(until - Date.now());
      await this.confirmed(channel, publication, until);
    } finally {
      this.silent.probed(queue);
      if (channel && this.probing.delete(channel)) void closing(channel);
    }
  }

  private async probingChannel(timeoutMs: number): Promise<ConfirmChannel> {
    const opening = this.newChannel();
    try {
      const channel = await within(opening, timeoutMs, 'RabbitMQ opens no channel');
      this.probing.add(channel);
      return channel;
    } catch (error) {
      opening.then(closing, () => undefined); // one that opens after all
      throw error;
    }
  }

  /** A nack on a channel of its own is no answer: the channel of all others may still get none. */
  private noteProbed(channel: ConfirmChannel, queue: string, sent: Sent, error: unknown): void {
    if (error) return;
    if (sent.held && sent.settled < sent.count && !this.opening) this.adopt(channel);
    this.silent.answered(queue, sent, sent.count);
  }

  private adopt(channel: ConfirmChannel): void {
    this.probing.delete(channel); // so it stays open
    const old = this.channel;
    this.use(channel);
    if (old) this.retire(old, 'a queue answers on another one');
  }

  private confirmed(channel: ConfirmChannel, publication: Publication, until: number): Promise<void> {
    const { queue, body, messageId, headers, expirationMs } = publication;
    const expiration = expirationMs?.toString();
    const options = {
      persistent: true,
      mandatory: true,
      messageId,
      headers,
      expiration,
      contentType: 'application/json',
    };
    const startedAt = performance.now();
    const isProbe = this.probing.has(channel);
    const sent = isProbe ? this.silent.probe(queue) : this.silent.sent(queue);
    const number = sent.count;
    return new Promise<void>((resolve, reject) => {
      const confirm = (error: unknown) => {
        clearTimeout(timer);
        this.lastConfirmAt = Date.now();
        this.silentSince = 0;
        const returned = this.takeReturned(`${queue} ${messageId}`);
        if (isProbe) this.noteProbed(channel, queue, sent, error);
        else if (error && !isNack(error)) this.silent.lost(queue, sent, number);
        else this.silent.answered(queue, sent, number);
        if (error) return reject(this.refused(channel, queue, error));
        this.refusals.confirmed(queue);
        if (returned) reject(new UnroutableError(queue));
        else resolve();
        this.onConfirm((performance.now() - startedAt) / 1000);
      };
      const late = () => reject(new RetryableError('CONFIRM_LATE', 'RabbitMQ sent no confirm in time'));
      const timer = setTimeout(late, until - Date.now());
      try {
        if (!channel.publish('', queue, body, options, confirm)) this.holdBack(channel);
      } catch (error) {
        confirm(error); // the channel was closed meanwhile
      }
    });
  }

  private async openChannel(timeoutMs: number): Promise<ConfirmChannel> {
    if (this.channel) return this.channel;
    if (!this.connection.isOpen) await this.connection.whenOpen(timeoutMs);
    return within(this.openAnother(), timeoutMs, 'RabbitMQ opens no channel');
  }

  private openAnother(): Promise<ConfirmChannel> {
    this.opening ??= this.createChannel().finally(() => (this.opening = null));
    return this.opening;
  }

  private async createChannel(): Promise<ConfirmChannel> {
    const channel = await this.newChannel();
    this.use(channel);
    return channel;
  }

  private async newChannel(): Promise<ConfirmChannel> {
    const channel = await this.connection.channel((model) => model.createConfirmChannel());
    channel.on('error', (error: Error) => this.log.warn(`publishing channel: ${error.message}`));
    channel.on('close', () => this.forget(channel));
    channel.on('return', (message: Message) => this.noteReturned(message));
    return channel;
  }

  private use(channel: ConfirmChannel): void {
    this.channel = channel;
    this.openedAt = performance.now();
  }

  /** The next channel is opened ahead of the next message, unless the connection is gone and brings its own. */
  private forget(channel: ConfirmChannel): void {
    if (this.channel === channel) this.channel = null;
    setTimeout(() => {
      if (this.connection.isOpen) this.openChannel(OPEN_TIMEOUT_MS).catch(() => undefined); // the next message tries too
    }, REOPEN_DELAY_MS).unref();
  }

  private holdBack(channel: ConfirmChannel): void {
    if (this.full) return;
    let end = () => {};
    const over = new Promise<void>((resolve) => {
      end = () => {
        channel.off('drain', end).off('close', end);
        if (this.full?.end === end) this.full = null;
        resolve();
      };
      channel.on('drain', end).on('close', end);
    });
    this.full = { over, end };
  }

  /** Resolves when the alarm is over, or with the connection. */
  private unblocked(): Promise<void> {
    this.alarm ??= new Promise<void>((resolve) => {
      this.connection.once('unblocked', () => {
        this.alarm = null;
        resolve();
      });
    });
    return this.alarm;
  }

  /** A returned message is confirmed all the same, right after the return; the confirm looks here. */
  private noteReturned(message: Message): void {
    const key = `${message.fields.routingKey} ${String(message.properties.messageId)}`;
    this.returned.set(key, (this.returned.get(key) ?? 0) + 1);
  }

  private takeReturned(key: string): boolean {
    if (this.returned.size === 0) return false;
    const count = this.returned.get(key) ?? 0;
    if (count > 1) this.returned.set(key, count - 1);
    else this.returned.delete(key);
    return count > 0;
  }

  /**
   * A message waited its whole time and nothing was confirmed meanwhile, to whichever queue. A channel that confirms
   * nothing at all for so long is given up. What is confirmed on it after all still counts, so it stays open as long as
   * anything on it may be waited for.
   */
  private inVain(startedAt: number): void {
    const { channel } = this;
    const age = performance.now() - this.openedAt;
    if (!channel || this.connection.blocked || age < Date.now() - startedAt) return;
    this.silentSince ||= startedAt;
    if (Date.now() - this.silentSince < SILENT_MS) return;
    this.silentSince = 0;
    this.channel = null;
    this.retire(channel, 'it confirms nothing');
    void this.reopen();
  }

  /** Where no other channel is opened either, RabbitMQ reads the connection no more: that ends with it alone. */
  private async reopen(): Promise<void> {
    try {
      await within(this.openAnother(), OPEN_TIMEOUT_MS, 'RabbitMQ opens no channel');
    } catch (error) {
      const isStuck = error instanceof RetryableError && error.code === 'TIMEOUT';
      if (isStuck && !this.connection.blocked) this.connection.abandon(messageOf(error));
    }
  }

  private retire(channel: ConfirmChannel, why: string): void {
    this.full?.end();
    this.log.warn(`publishing channel given up: ${why}`);
    setTimeout(() => void closing(channel), RETIRED_MS).unref();
  }

  private refused(channel: ConfirmChannel, queue: string, cause: unknown): RetryableError {
    const why = messageOf(cause);
    if (!isNack(cause)) {
      this.drop(channel, why);
      return new RetryableError('NOT_CONFIRMED', `RabbitMQ did not take the message: ${why}`, { cause });
    }
    const inUse = this.channel === channel && !this.replacing;
    if (this.refusals.nacked(queue, inUse ? performance.now() - this.openedAt : 0)) this.replaceLater(channel, queue);
    return new NackedError(queue, cause);
  }

  /** All other queues go on meanwhile: on the old channel until there is a new one, and what waits on it is confirmed there. */
  private replaceLater(channel: ConfirmChannel, queue: string): void {
    this.replacing = true;
    setTimeout(() => void this.replace(channel, `it takes nothing into ${queue}`), REOPEN_DELAY_MS).unref();
  }

  private async replace(channel: ConfirmChannel, why: string): Promise<void> {
    try {
      if (this.channel !== channel) return; // gone meanwhile, and with it the cause
      await this.openAnother();
      this.retire(channel, why);
    } catch {
      // The connection is lost, and with it both.
    } finally {
      this.replacing = false;
    }
  }

  private drop(channel: ConfirmChannel, why: string): void {
    if (this.channel !== channel) return;
    this.channel = null;
    this.log.warn(`publishing channel given up: ${why}`);
    channel.close().catch(() => undefined); // closed already when the connection went
  }
}
