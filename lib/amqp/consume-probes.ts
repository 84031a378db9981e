import type { ChannelModel } from 'amqplib';
import type { AmqpConfig } from '../config/types';
import { messageOf, RetryableError } from '../errors';
import { closing, letGo } from './closing';
import { connectTo, rotated } from './endpoint';
import { replyCode } from './admin';
import { ANSWER_TIMEOUT_MS, within } from './within';

/** Losses in a row after which a queue is suspected. RabbitMQ does not say whose question it was: the first may be anybody's. */
const SUSPECTED_AFTER = 2;

/**
 * Finds the queues that must not be consumed on a shared connection: who consumes a queue whose copies are all away is
 * answered with 541, which closes the whole connection. Those that are suspected are asked on a connection of their own.
 */
export class ConsumeProbes {
  private readonly losses = new Map<string, number>();
  private last: Promise<void> = Promise.resolve();

  constructor(
    private readonly config: AmqpConfig,
    private readonly name: string,
  ) {}

  /** RabbitMQ closed the connection before it answered who wanted to consume the queue; true when that makes it suspect. */
  blame(queue: string): boolean {
    const losses = (this.losses.get(queue) ?? 0) + 1;
    this.losses.set(queue, losses);
    return losses === SUSPECTED_AFTER;
  }

  isSuspect(queue: string): boolean {
    return (this.losses.get(queue) ?? 0) >= SUSPECTED_AFTER;
  }

  /** The queue is consumed. */
  acquit(queue: string): void {
    this.losses.delete(queue);
  }

  /**
   * Resolves when the queue may be consumed, throws when it does not answer. One queue at a time is asked, and those that
   * are not `wanted` any more when it is their turn are not.
   */
  async probe(queue: string, wanted: () => boolean): Promise<void> {
    const turn = this.last.then(async () => {
      if (!wanted()) return;
      await this.ask(queue);
      if (this.isSuspect(queue)) this.losses.set(queue, SUSPECTED_AFTER - 1);
    });
    this.last = turn.catch(() => undefined);
    return turn;
  }

  /** A message that is taken goes back to its place with the connection, and counts as returned once. */
  private async ask(queue: string): Promise<void> {
    const model = await this.connect();
    model.on('error', () => undefined); // the question fails with it
    try {
      await within(get(model, queue), ANSWER_TIMEOUT_MS, `RabbitMQ does not answer for ${queue}`);
    } catch (error) {
      if (replyCode(error) === undefined) throw error; // any other answer closes no more than a channel
    } finally {
      await closing(model);
      letGo(model);
    }
  }

  private async connect(): Promise<ChannelModel> {
    let last: unknown;
    for (const host of rotated(this.config.hosts)) {
      try {
        return await connectTo(this.config, host, `${this.name} probe`);
      } catch (error) {
        last = error;
      }
    }
    throw new RetryableError('BROKER_UNAVAILABLE', `RabbitMQ cannot be reached: ${messageOf(last)}`, { cause: last });
  }
}

async function get(model: ChannelModel, queue: string): Promise<void> {
  const channel = await model.createChannel();
  channel.on('error', () => undefined); // the question fails with it
  await channel.get(queue);
}
