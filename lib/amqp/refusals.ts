/** How old the publishing channel must be for a further nack to cost it, ms: about an election, and some. */
const [FIRST_AGE_MS, LONGEST_AGE_MS] = [250, 2000];
/** So many channels a queue may cost at the first pace. */
const AT_FIRST = 3;
/** Longer than an election as a rule, and than a message is tried by default: from then on it is the queue, ms. */
const REFUSES_AFTER_MS = 2000;
/** What was refused last longer ago counts no more, ms. */
const FORGET_MS = 60_000;

interface Refused {
  channels: number;
  /** The last nack, and the first one since the queue took something; undefined when it did so last. */
  at: number;
  since: number | undefined;
}

/**
 * Tells a queue that takes nothing, as it is full (reject-publish) or has lost its majority, from a channel that lost its
 * way to it: RabbitMQ 3.10 nacks for ever on a channel that first published to a queue within an election of its leader.
 * Another channel cures the second alone, so each queue may cost channels more and more rarely. A full queue that is read
 * takes one message behind each new channel: that begins nothing anew.
 */
export class Refusals {
  private readonly byQueue = new Map<string, Refused>();

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** The broker nacked a message; true when the channel in use, so many ms old, is to be replaced for that. */
  nacked(queue: string, channelAgeMs: number): boolean {
    this.forget();
    const now = this.now();
    const { channels = 0, since = now } = this.byQueue.get(queue) ?? {};
    const patience = Math.min(LONGEST_AGE_MS, FIRST_AGE_MS * 2 ** Math.max(0, channels - AT_FIRST));
    const isReplaced = channelAgeMs >= patience;
    this.byQueue.set(queue, { channels: channels + (isReplaced ? 1 : 0), at: now, since });
    return isReplaced;
  }

  /** The broker took a message. */
  confirmed(queue: string): void {
    const refused = this.byQueue.size > 0 && this.byQueue.get(queue);
    if (refused) refused.since = undefined;
  }

  /** Whether it is the queue that refuses. To be asked after a nack. */
  has(queue: string): boolean {
    const since = this.byQueue.get(queue)?.since;
    return since !== undefined && this.now() - since >= REFUSES_AFTER_MS;
  }

  private forget(): void {
    for (const [queue, { at }] of this.byQueue) if (this.now() - at > FORGET_MS) this.byQueue.delete(queue);
  }
}
