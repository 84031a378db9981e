import type { RetryableError } from '../errors';

/** Told once when the disk refuses a write, with why, and once when there is room again. */
export type DiskListener = (refusal?: RetryableError) => void;

/** Between looks whether there is room again, ms. */
const LOOK_EVERY_MS = 5000;

/**
 * Whether the disk takes what is written. From a refusal on it does not until there is room for as much as was refused:
 * a smaller write that goes through meanwhile says nothing of the next large one.
 */
export class DiskState {
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;
  /** The most that was refused, bytes; undefined while nothing is. */
  private missing: number | undefined;

  /** `probe` throws while there is no room for so many bytes. */
  constructor(
    private readonly probe: (bytes: number) => Promise<void>,
    private readonly told: DiskListener,
  ) {}

  get writable(): boolean {
    return this.missing === undefined;
  }

  /** To be called with what a write needed that the disk did not take. */
  refused(bytes: number, why: RetryableError): void {
    const isFirst = this.writable;
    this.missing = Math.max(this.missing ?? 0, bytes);
    if (!isFirst) return;
    this.told(why);
    this.lookLater();
  }

  /** Ends the looking. */
  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  private lookLater(): void {
    if (!this.stopped) this.timer = setTimeout(() => void this.look(), LOOK_EVERY_MS).unref();
  }

  private async look(): Promise<void> {
    try {
      await this.probe(this.missing ?? 0);
    } catch {
      return this.lookLater(); // the first refusal was told
    }
    this.missing = undefined;
    this.told();
  }
}
