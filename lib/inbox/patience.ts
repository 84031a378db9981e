/** How long a message is tried: until its time is over or the agent stops. */
export class Patience {
  constructor(
    /** By `performance.now()`: a clock that is set must not make it longer or shorter. */
    private readonly until: number,
    /** Aborted when the agent stops. */
    private readonly stopped: AbortSignal,
  ) {}

  /** Its time has passed. */
  get over(): boolean {
    return this.stopping || performance.now() >= this.until;
  }

  get stopping(): boolean {
    return this.stopped.aborted;
  }

  /** Waits so long, or until it is over. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.onOver(resolve, ms));
  }

  /** Calls once when it is over, or after `ms` if that is sooner; returns what takes the call back. */
  onOver(call: () => void, ms = Infinity): () => void {
    const end = () => {
      undo();
      call();
    };
    const timer = setTimeout(end, Math.max(0, Math.min(ms, this.until - performance.now())));
    const undo = () => {
      clearTimeout(timer);
      this.stopped.removeEventListener('abort', end);
    };
    this.stopped.addEventListener('abort', end);
    return undo;
  }
}
