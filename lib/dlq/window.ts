/** How much is under way at the same time: neither too many things nor too many bytes, but one thing in any case. */
export class Window {
  private count = 0;
  private bytes = 0;
  private wake: (() => void) | undefined;

  constructor(
    private readonly maxCount: number,
    private readonly maxBytes: number,
  ) {}

  /** Does the work as soon as there is room; resolves when it has begun. Only one at a time may wait. */
  async begin<T>(bytes: number, work: () => Promise<T>): Promise<{ result: Promise<T> }> {
    while (this.count > 0 && (this.count >= this.maxCount || this.bytes + bytes > this.maxBytes)) {
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
    this.count += 1;
    this.bytes += bytes;
    const result = work().finally(() => {
      this.count -= 1;
      this.bytes -= bytes;
      this.wake?.();
    });
    return { result };
  }
}
