export type Labels = Record<string, string>;
type Method = 'inc' | 'set' | 'observe';
type Update = (name: string, method: Method, labels: Labels | undefined, value: number) => void;

/** What is counted before the collector is there is kept for it, up to this many updates. */
const MAX_PENDING = 1000;

/** Where code counts; counting never throws. A node without a metrics service pays next to nothing. */
export class Metrics {
  private update: Update | undefined;
  private pending: Parameters<Update>[] = [];

  attach(update: Update): void {
    this.update = update;
    for (const args of this.pending) update(...args);
    this.pending = [];
  }

  detach(): void {
    this.update = undefined;
  }

  inc(name: string, labels?: Labels, by = 1): void {
    this.record(name, 'inc', labels, by);
  }

  set(name: string, value: number, labels?: Labels): void {
    this.record(name, 'set', labels, value);
  }

  /** All that a gauge has to say. */
  replace(name: string, values: Iterable<readonly [Labels, number]>): void {
    for (const [labels, value] of values) this.record(name, 'set', labels, value);
  }

  /** A duration, in seconds. */
  observe(name: string, seconds: number, labels?: Labels): void {
    this.record(name, 'observe', labels, seconds);
  }

  private record(...args: Parameters<Update>): void {
    if (this.update) this.update(...args);
    else if (this.pending.length < MAX_PENDING) this.pending.push(args);
  }
}

/** Seconds since `startedAt` (of `performance.now()`). */
export function secondsSince(startedAt: number): number {
  return (performance.now() - startedAt) / 1000;
}
