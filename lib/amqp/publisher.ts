import { setTimeout as delay } from 'node:timers/promises';
import type { ConfirmChannel, Message } from 'amqplib';
import { FinalError, messageOf, RetryableError } from '../errors';
import type { Log } from '../log';
import type { AmqpConnection } from './connection';
import { within } from './within';

/** No such queue: the broker returned the message (mandatory; AMQP 0-9-1 basic.return, reply code 312). */
export class UnroutableError extends FinalError {
  constructor(queue: string) {
    super('QUEUE_MISSING', `RabbitMQ has no queue ${queue}; it must be declared before a message can wait in it`);
  }
}

export interface Publication {
  queue: string;
  body: Buffer;
  messageId: string;
  headers?: Record<string, string | number>;
}

/**
 * A channel that was poisoned by a leader election nacks for ever, so a nack costs the channel; the next one must not
 * be opened within the election.
 */
const REOPEN_DELAY_MS = 250;
const OPEN_TIMEOUT_MS = 5000;

/** Publishes persistent, mandatory messages into queues; each promise is that message's confirm. */
export class Publisher {
  private channel: ConfirmChannel | null = null;
  private opening: Promise<ConfirmChannel> | null = null;
  /** Set while the socket's buffer is full; resolves when it has drained or the channel is gone. */
  private full: Promise<void> | null = null;
  /** Set while somebody waits for the end of an alarm. */
  private alarm: Promise<void> | null = null;
  private readonly returned = new Map<string, number>();

  constructor(
    private readonly connection: AmqpConnection,
    private readonly log: Log,
  ) {}

  /** True while a channel is open and the broker takes messages. */
  get ready(): boolean {
    return this.channel !== null && !this.connection.blocked;
  }

  /** Opens the channel ahead of the first message. */
  async open(timeoutMs: number): Promise<void> {
    await this.openChannel(timeoutMs);
  }

  /**
   * Resolves when the broker confirmed the message. While the outcome is unknown it is published again with the same id
   * until `deadlineMs` from now: the receiver drops the second copy. Throws UnroutableError, or RetryableError
   * BROKER_UNAVAILABLE.
   */
  async publish(publication: Publication, deadlineMs: number): Promise<void> {
    const deadline = Date.now() + deadlineMs;
    let last: unknown;
    for (let left = deadlineMs; left > 0; left = deadline - Date.now()) {
      try {
        return await this.attempt(publication, left);
      } catch (error) {
        if (error instanceof UnroutableError) throw error;
        last = error;
        await delay(Math.min(REOPEN_DELAY_MS, Math.max(1, deadline - Date.now())));
      }
    }
    throw new RetryableError(
      'BROKER_UNAVAILABLE',
      `RabbitMQ did not confirm the message within ${deadlineMs} ms; send it again with the same id`,
      { cause: last },
    );
  }

  private async attempt(publication: Publication, timeoutMs: number): Promise<void> {
    // What is written to a blocked connection is read after the alarm: the sender would have been told of a failure.
    if (this.connection.blocked) await within(this.unblocked(), timeoutMs, 'RabbitMQ is in memory or disk alarm');
    const channel = this.channel ?? (await this.openChannel(timeoutMs));
    if (this.full) await within(this.full, timeoutMs, 'RabbitMQ takes nothing for now');
    const { queue, body, messageId, headers } = publication;
    const options = { persistent: true, mandatory: true, messageId, headers, contentType: 'application/json' };
    await new Promise<void>((resolve, reject) => {
      const confirm = (error: unknown) => {
        clearTimeout(timer);
        const returned = this.takeReturned(`${queue} ${messageId}`);
        if (error) reject(this.refused(channel, error));
        else if (returned) reject(new UnroutableError(queue));
        else resolve();
      };
      const timer = setTimeout(
        () => reject(new RetryableError('CONFIRM_LATE', 'RabbitMQ sent no confirm in time')),
        timeoutMs,
      );
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
    this.opening ??= this.createChannel().finally(() => (this.opening = null));
    return within(this.opening, timeoutMs, 'RabbitMQ opens no channel');
  }

  private async createChannel(): Promise<ConfirmChannel> {
    const channel = await this.connection.channel((model) => model.createConfirmChannel());
    channel.on('error', (error: Error) => this.log.warn(`publishing channel: ${error.message}`));
    channel.on('close', () => this.forget(channel));
    channel.on('return', (message: Message) => this.noteReturned(message));
    this.channel = channel;
    return channel;
  }

  /** The next channel is opened ahead of the next message, unless the connection is gone and brings its own. */
  private forget(channel: ConfirmChannel): void {
    if (this.channel === channel) this.channel = null;
    setTimeout(() => {
      if (this.connection.isOpen) this.openChannel(OPEN_TIMEOUT_MS).catch(() => undefined); // the next message tries too
    }, REOPEN_DELAY_MS).unref();
  }

  private holdBack(channel: ConfirmChannel): void {
    this.full ??= new Promise<void>((resolve) => {
      const goOn = () => {
        channel.off('drain', goOn).off('close', goOn);
        this.full = null;
        resolve();
      };
      channel.on('drain', goOn).on('close', goOn);
    });
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

  private refused(channel: ConfirmChannel, cause: unknown): RetryableError {
    if (this.channel === channel) {
      this.channel = null;
      this.log.warn(`publishing channel given up: ${messageOf(cause)}`);
      channel.close().catch(() => undefined); // closed already when the connection went
    }
    return new RetryableError('NOT_CONFIRMED', `RabbitMQ did not take the message: ${messageOf(cause)}`, { cause });
  }
}
