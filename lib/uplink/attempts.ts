import { backoffMs } from '../amqp/backoff';

/** Which server the next connection attempt goes to, and when. */
export class Attempts {
  private made = 0;
  private failed = 0;

  constructor(
    private readonly urls: readonly string[],
    private readonly delayMs: number,
    private readonly delayMaxMs: number,
  ) {}

  /** The URLs in turn, whatever became of the attempt before: a server that refuses must not hide one that does not. */
  nextUrl(): string {
    return this.urls[this.made++ % this.urls.length] as string;
  }

  /** Wait before the next attempt, ms: it grows with each attempt that ended without a login. */
  waitMs(): number {
    return backoffMs(++this.failed, this.delayMs, this.delayMaxMs);
  }

  /** A login starts the waits from the shortest again. */
  loggedIn(): void {
    this.failed = 0;
  }
}
