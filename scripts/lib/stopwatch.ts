/** Adds up where the time of a run went. */
export class Stopwatch {
  /** @param spentMs what was spent before, ms by step */
  constructor(private readonly spentMs: Record<string, number> = {}) {}

  /** Waits for `work` and keeps how long that took, however it ends. */
  async time<T>(step: string, work: T | Promise<T>): Promise<T> {
    const start = performance.now();
    try {
      return await work;
    } finally {
      this.spentMs[step] = performance.now() - start;
    }
  }

  /** One line for people. */
  report(): string {
    const steps = Object.entries(this.spentMs).map(([step, ms]) => `${step} ${(ms / 1000).toFixed(1)} s`);
    return `Time: ${steps.join(', ')}`;
  }
}
