import { setTimeout as delay } from 'node:timers/promises';

/** Work that was begun, to be waited for before a connection is given up. */
export class UnderWay {
  private readonly all = new Set<Promise<unknown>>();

  add(work: Promise<unknown>): void {
    this.all.add(work);
    const done = () => void this.all.delete(work);
    work.then(done, done);
  }

  /** Resolves when what is under way now has ended, well or not, or after `graceMs`. */
  async settled(graceMs: number): Promise<void> {
    if (this.all.size === 0) return;
    await Promise.race([Promise.allSettled(this.all), delay(graceMs, undefined, { ref: false })]);
  }
}
