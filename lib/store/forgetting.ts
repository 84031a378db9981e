import type { AgentStore } from './agent-store';

const EVERY_MS = 10_000;
/** Entries that are forgotten in one transaction: a few milliseconds of work. */
const STEP = 100;

/** What is forgotten by its age: its entries by id, and their times as `[time, id]`, oldest first. */
export interface Aged {
  entries: string;
  times: string;
  /** The time that the entry has now, ms since the epoch. */
  timeOf: (id: string) => number | undefined;
  /** How long it is kept, ms. */
  spanMs: number;
}

/** Forgets what is old, a step at a time, until it is stopped. What is then left the next process forgets. */
export class Forgetting {
  private timer: NodeJS.Timeout | undefined;
  private underWay: Promise<void> | undefined;
  private stopped = false;

  constructor(
    private readonly store: AgentStore,
    private readonly aged: Aged,
    /** Told why the disk refused something; it is done the next time. */
    private readonly refused: (error: unknown) => void,
    /** Done before each time. */
    private readonly first?: () => Promise<void>,
  ) {}

  /** Begins to do so by itself; until `stop`. */
  start(): void {
    this.timer = setInterval(() => void this.now(), EVERY_MS).unref();
  }

  /** Resolves after the step under way: what is old may be much, and the end of a process does not wait for that. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearInterval(this.timer);
    await this.underWay;
  }

  /** Resolves when all that is old is forgotten, or the disk refuses. Never throws. */
  now(): Promise<void> {
    this.underWay ??= this.all()
      .catch(this.refused)
      .finally(() => (this.underWay = undefined));
    return this.underWay;
  }

  private async all(): Promise<void> {
    if (this.first) await this.first();
    while (!this.stopped && (await this.step()));
  }

  /** True when there may be more. An entry that has a later time by now stays, unless that is being written at this very moment. */
  private async step(): Promise<boolean> {
    const { entries, times, timeOf, spanMs } = this.aged;
    const old = this.store.database<1>(times).range({ end: [Date.now() - spanMs], limit: STEP });
    if (old.length === 0) return false;
    const keys = old.map(({ key }) => key as [number, string]);
    const gone = keys.filter(([time, id]) => timeOf(id) === time);
    await this.store.write([
      ...keys.map((key) => ({ database: times, key })),
      ...gone.map(([, id]) => ({ database: entries, key: id })),
    ]);
    return old.length === STEP;
  }
}
