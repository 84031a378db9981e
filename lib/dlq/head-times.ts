/** The first message of a queue, as it was when somebody looked. */
export interface Head {
  /** It had been given out before: who takes it again has to take all that came back with it. */
  returned: boolean;
  /** When its wait began, ms since the epoch; undefined where it does not say. */
  since: number | undefined;
}

interface Known {
  /** Ready messages at the last count. */
  ready: number;
  countedAt: number;
  /** Since when the head has been waiting; undefined while somebody has to look. */
  since: number | undefined;
  /** Looks into this queue, and when the last one was. */
  looks: number;
  lookedAt: number;
  /** The last look met a message that had been given out before. */
  returned: boolean;
}

/** Looks into one queue that cost nothing to speak of; after them there are four in its lifetime at the most. */
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
   * Takes a count in; true when the head may be another one, and somebody must look. `isForDead`: what seemed empty may
   * only have been in somebody's hands. In an agent's queue order counts: nobody looks where the last look met what had
   * been given out before, until it was empty.
   */
  counted(queue: string, ready: number, ttlMs: number, isForDead = false): boolean {
    const now = this.now();
    const before = this.known.get(queue);
    const known: Known = {
      ready,
      countedAt: now,
      since: this.stillKnown(before, ready, ttlMs, isForDead),
      looks: before?.looks ?? 0,
      lookedAt: before?.lookedAt ?? 0,
      returned: (before?.returned ?? false) && ready > 0 && !isForDead,
    };
    this.known.set(queue, known);
    return ready > 0 && known.since === undefined && this.mayLook(known, ttlMs);
  }

  /** Takes a look in; undefined: the queue is empty by now. */
  looked(queue: string, head: Head | undefined): void {
    const known = this.known.get(queue);
    if (!known || !head) return;
    known.since = head.since ?? known.countedAt;
    known.looks += 1;
    known.lookedAt = this.now();
    known.returned = head.returned;
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

  private stillKnown(before: Known | undefined, ready: number, ttlMs: number, isForDead: boolean): number | undefined {
    if (!before || ready < before.ready) return undefined;
    if (before.ready === 0) return isForDead ? undefined : before.countedAt;
    if (before.since === undefined || this.now() > before.since + ttlMs + SLACK_MS) return undefined;
    return before.since;
  }

  private mayLook({ looks, lookedAt, returned }: Known, ttlMs: number): boolean {
    return !returned && (looks < FREE_LOOKS || this.now() - lookedAt > ttlMs * GAP_PART);
  }
}
