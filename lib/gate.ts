/** Something to wait for that comes and goes; any number may wait. */
export class Gate {
  private waiting = new Set<() => void>();
  private isOpen = false;

  get open(): boolean {
    return this.isOpen;
  }

  /** Lets everybody through, those that wait first, in the order they came. */
  letThrough(): void {
    this.isOpen = true;
    const waiting = this.waiting;
    this.waiting = new Set();
    for (const go of waiting) go();
  }

  shut(): void {
    this.isOpen = false;
  }

  /** True as soon as the gate is open; false after `timeoutMs`, or once `signal` is aborted. */
  async passed(timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    if (this.isOpen || timeoutMs <= 0 || signal?.aborted) return this.isOpen;
    return new Promise((resolve) => {
      const done = (through: boolean) => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', giveUp);
        this.waiting.delete(go);
        resolve(through);
      };
      const go = () => done(true);
      const giveUp = () => done(false);
      const timer = setTimeout(giveUp, timeoutMs);
      signal?.addEventListener('abort', giveUp, { once: true });
      this.waiting.add(go);
    });
  }
}
