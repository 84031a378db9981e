/** RabbitMQ stops reading a connection soon after one queue left 32 messages of one channel unanswered; so well below. */
const UNANSWERED = 16;
/** What answers within this time takes any number at once: hundreds may be under way to a healthy queue, ms. */
const QUIET_MS = 250;
/** Longer than an election as a rule, and than a message is tried by default: from then on it is the queue, ms. */
const SILENT_AFTER_MS = 2000;
const PROBE_EVERY_MS = 1000;
/** Each holds a channel, at most for the time of its message. */
const MAX_PROBES = 20;

/** What went to one queue. Answers come in the order of the messages, so two numbers tell what is unanswered. */
export interface Sent {
  count: number;
  /** The last one that was answered, or lost with its channel. */
  settled: number;
  /** The last answer, or the first message since nothing was unanswered. */
  since: number;
  held: boolean;
  probing: boolean;
  probedAt: number;
}

/**
 * Finds the queues for which RabbitMQ neither confirms nor nacks. Such a queue is held: nothing more goes to it over the
 * channel of all others, until it has answered. It stays held when the channel or the connection is lost, as the next
 * ones would be stopped just so. There is one entry for each queue that is held or has something unanswered.
 */
export class SilentQueues {
  private readonly byQueue = new Map<string, Sent>();
  private answeredAt = -Infinity;
  private probes = 0;

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** Notes a message; what becomes of it is told with this entry and the `count` that it has now. */
  sent(queue: string): Sent {
    const sent = this.probe(queue);
    sent.count += 1;
    return sent;
  }

  /** The same for one that goes over a channel of its own: where it waits, nothing else does. */
  probe(queue: string): Sent {
    let sent = this.byQueue.get(queue);
    if (!sent) {
      sent = { count: 0, settled: 0, since: this.now(), held: false, probing: false, probedAt: -Infinity };
      this.byQueue.set(queue, sent);
    }
    return sent;
  }

  /** The queue answered. */
  answered(queue: string, sent: Sent, number: number): void {
    this.answeredAt = sent.since = this.now();
    sent.held = false;
    this.settle(queue, sent, number);
  }

  /** The message was lost with its channel; how long it had waited there still counts. */
  lost(queue: string, sent: Sent, number: number): void {
    this.holds(queue);
    this.settle(queue, sent, number);
  }

  /** Whether nothing may go to it over the channel of all others. */
  holds(queue: string): boolean {
    const sent = this.byQueue.get(queue);
    if (!sent) return false;
    sent.held ||= sent.count - sent.settled >= UNANSWERED && this.now() - sent.since >= QUIET_MS;
    return sent.held;
  }

  /** Whether it is the queue that does not answer, and not RabbitMQ altogether: others were answered meanwhile. */
  has(queue: string): boolean {
    const sent = this.byQueue.get(queue);
    return sent !== undefined && sent.held && this.answeredAt - sent.since >= SILENT_AFTER_MS;
  }

  /** Whether a message may go to the held queue, over a channel of its own; `probed` is to follow if so. */
  mayProbe(queue: string): boolean {
    const sent = this.byQueue.get(queue);
    if (!sent || sent.probing || this.probes >= MAX_PROBES) return false;
    if (this.now() - sent.probedAt < PROBE_EVERY_MS) return false;
    sent.probing = true;
    sent.probedAt = this.now();
    this.probes += 1;
    return true;
  }

  probed(queue: string): void {
    this.probes -= 1;
    const sent = this.byQueue.get(queue);
    if (sent) sent.probing = false;
  }

  private settle(queue: string, sent: Sent, number: number): void {
    sent.settled = Math.max(sent.settled, number);
    if (sent.settled < sent.count || sent.held) return;
    if (this.byQueue.get(queue) === sent) this.byQueue.delete(queue);
  }
}
