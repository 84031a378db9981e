/**
 * How long a message belongs to its consumer: until its channel or connection is lost, or the consumer is closed. Like an
 * AbortSignal, without its events: each message in flight listens, and that is to cost next to nothing.
 */
export class Lifetime {
  private readonly listeners = new Set<() => void>();
  private over = false;

  get ended(): boolean {
    return this.over;
  }

  /** Calls everybody who listens, once. */
  end(): void {
    this.over = true;
    for (const listener of this.listeners) listener();
    this.listeners.clear();
  }

  /** Calls it at the end; not at all when that is past already. */
  onEnd(listener: () => void): void {
    this.listeners.add(listener);
  }

  /** Takes `onEnd` back. */
  offEnd(listener: () => void): void {
    this.listeners.delete(listener);
  }

  /** Resolves after so long, and at the end if that comes before. */
  wait(ms: number): Promise<void> {
    if (this.over) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.offEnd(done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.onEnd(done);
    });
  }

  /** Who still listens. */
  get size(): number {
    return this.listeners.size;
  }
}
