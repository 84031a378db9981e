export type Labels = Record<string, string>;
type Update = (name: string, method: 'inc' | 'set' | 'observe', labels: Labels | undefined, value: number) => void;

/**
 * Where code counts. Until a collector is attached nothing is kept, so a node without a metrics service pays nothing;
 * counting never throws.
 */
export class Metrics {
  private update: Update | undefined;

  attach(update: Update): void {
    this.update = update;
  }

  detach(): void {
    this.update = undefined;
  }

  inc(name: string, labels?: Labels, by = 1): void {
    this.update?.(name, 'inc', labels, by);
  }

  set(name: string, value: number, labels?: Labels): void {
    this.update?.(name, 'set', labels, value);
  }

  /** A duration, in seconds. */
  observe(name: string, seconds: number, labels?: Labels): void {
    this.update?.(name, 'observe', labels, seconds);
  }
}

/** Seconds since `startedAt` (of `performance.now()`). */
export function secondsSince(startedAt: number): number {
  return (performance.now() - startedAt) / 1000;
}
