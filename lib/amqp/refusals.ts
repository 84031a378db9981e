/** How old the publishing channel must be for a further nack to cost it, ms: from about an election to longer than one. */
const [FIRST_AGE_MS, LONGEST_AGE_MS] = [250, 10_000];
/** After so many channels it is the queue that refuses. */
const CHANNELS = 3;
/** What was refused last longer ago counts no more, ms. */
const FORGET_MS = 60_000;

interface Refused {
  channels: number;
  at: number;
}

/**
 * Tells a queue that takes nothing, as it is full (reject-publish) or has lost its majority, from a channel that lost its
 * way to it: RabbitMQ 3.10 nacks for ever on a channel that first published to a queue within an election of its leader.
 * Another channel cures the second alone, so each queue may cost channels ever more rarely.
 */
export class Refusals {
  private readonly byQueue = new Map<string, Refused>();

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** The broker nacked a message; true when the channel, so many ms old, is to be replaced for that. */
  nacked(queue: string, channelAgeMs: number): boolean {
    this.forget();
    const refused = this.byQueue.get(queue) ?? { channels: 0, at: 0 };
    const isReplaced = channelAgeMs >= this.patience(refused);
    this.byQueue.set(queue, { channels: refused.channels + (isReplaced ? 1 : 0), at: this.now() });
    return isReplaced;
  }

  /** The broker took a message. */
  confirmed(queue: string): void {
    if (this.byQueue.size > 0) this.byQueue.delete(queue);
  }

  /** Whether it is the queue: it refused on several channels, and has taken nothing since. */
  has(queue: string): boolean {
    return (this.byQueue.get(queue)?.channels ?? 0) >= CHANNELS;
  }

  private patience({ channels }: Refused): number {
    return Math.min(LONGEST_AGE_MS, FIRST_AGE_MS * 2 ** Math.max(0, channels - CHANNELS));
  }

  private forget(): void {
    for (const [queue, { at }] of this.byQueue) if (this.now() - at > FORGET_MS) this.byQueue.delete(queue);
  }
}
