/**
 * Does work that blocks, piece by piece and in the order it came, for at most about `sliceMs` in one turn of the event
 * loop: sockets, timers and requests come to their turn between the slices.
 */
export class Slices {
  private readonly waiting: (() => void)[] = [];
  private usedMs = 0;
  private turn: NodeJS.Immediate | undefined;

  constructor(private readonly sliceMs: number) {}

  /** Resolves to what `work` returns, rejects with what it throws; it runs at once when nothing is in its way. */
  async run<T>(work: () => T): Promise<T> {
    return new Promise<T>((resolve) => {
      // The inner promise rejects with what `work` throws.
      this.waiting.push(() => resolve(new Promise<T>((done) => done(work()))));
      this.goOn();
    });
  }

  private goOn(): void {
    while (this.usedMs < this.sliceMs && this.waiting.length > 0) {
      const started = performance.now();
      this.waiting.shift()?.();
      this.usedMs += performance.now() - started;
    }
    this.turn ??= setImmediate(() => {
      this.turn = undefined;
      this.usedMs = 0;
      if (this.waiting.length > 0) this.goOn();
    });
  }
}

/**
 * Sealing and opening block, for the private operation of RSA above all. In libuv's pool, or by WebCrypto, it costs more,
 * and a message that is alone waits for two changes of threads. Many may come at once that together would block too long.
 */
export const slices = new Slices(5);
