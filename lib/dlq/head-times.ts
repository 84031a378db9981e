/** The first message of a queue, as it was when somebody looked. */
export interface Head {
  id: string;
  /** When its wait began, ms since the epoch; undefined where it does not say. */
  since: number | undefined;
}

interface Known {
  /** Ready messages at the last count. */
  ready: number;
  countedAt: number;
  /** Since when the head has been waiting; undefined while somebody has to look. */
  since: number | undefined;
  /** The head of the last look, how often it was seen in one, and when last. */
  seen?: { id: string; times: number; at: number };
}

/** Looks at one message that cost nothing to speak of; after them it is looked at four times in its life at the most. */
const FREE_LOOKS = 2;
const GAP_PART = 1 / 4;
/** A head is taken for expired so long after its time, ms. */
const SLACK_MS = 1000;

/**
 * Since when the first message of each queue has been waiting, with as few looks as possible, as each is a delivery of
 * that message. Nobody looks as long as nothing was taken out: what is behind the head does not change it. What came
 * into an empty queue has waited since the count before, at the longest.
 */
export class HeadTimes {
  private readonly known = new Map<string, Known>();

  constructor(private readonly now: () => number = Date.now) {}

  /**
   * Takes a count in; true when the head may be another one, and somebody must look. `mayHide`: what seemed empty may only
   * have been in somebody's hands.
   */
  counted(queue: string, ready: number, ttlMs: number, mayHide = false): boolean {
    const now = this.now();
    const before = this.known.get(queue);
    const known: Known = {
      ready,
      countedAt: now,
      since: this.stillKnown(before, ready, ttlMs, mayHide),
      seen: before?.seen,
    };
    this.known.set(queue, known);
    return ready > 0 && known.since === undefined && this.mayLook(known, ttlMs);
  }

  /** Takes a look in; undefined: the queue is empty by now. */
  looked(queue: string, head: Head | undefined): void {
    const known = this.known.get(queue);
    if (!known || !head) return;
    known.since = head.since ?? known.countedAt;
    const times = known.seen?.id === head.id ? known.seen.times + 1 : 1;
    known.seen = { id: head.id, times, at: this.now() };
  }

  /** What is taken out now says more than any look. */
  consumed(queue: string): void {
    const known = this.known.get(queue);
    if (known) Object.assign(known, { since: undefined, ready: Infinity });
  }

  forget(queue: string): void {
    this.known.delete(queue);
  }

  /** How long the head has waited, s: 0 for an empty queue, undefined while that is not known. */
  ageOf(queue: string): number | undefined {
    const known = this.known.get(queue);
    if (known?.ready === 0) return 0;
    return known?.since === undefined ? undefined : Math.max(0, this.now() - known.since) / 1000;
  }

  private stillKnown(before: Known | undefined, ready: number, ttlMs: number, mayHide: boolean): number | undefined {
    if (!before || ready < before.ready) return undefined;
    if (before.ready === 0) return mayHide ? undefined : before.countedAt;
    if (before.since === undefined || this.now() > before.since + ttlMs + SLACK_MS) return undefined;
    return before.since;
  }

  private mayLook({ seen }: Known, ttlMs: number): boolean {
    return !seen || seen.times < FREE_LOOKS || this.now() - seen.at > ttlMs * GAP_PART;
  }
}
