import { replyCode } from './admin';
import type { AmqpConnection } from './connection';

/** Losses in a row after which a queue is suspected. RabbitMQ does not say whose question it was: the first may be anybody's. */
const SUSPECTED_AFTER = 2;

/**
 * Finds the queues that must not be consumed on a shared connection: who consumes a queue whose copies are all away is
 * answered with 541, which closes the whole connection. Those that are suspected are asked on a connection of their own.
 */
export class ConsumeProbes {
  private readonly losses = new Map<string, number>();
  private last: Promise<void> = Promise.resolve();

  constructor(private readonly apart: AmqpConnection['apart']) {}

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
    try {
      await this.apart((channel) => channel.get(queue), `RabbitMQ does not answer for ${queue}`);
    } catch (error) {
      if (replyCode(error) === undefined) throw error; // any other answer closes no more than a channel
    }
  }
}
