/** What was delivered within the last while, so that it is not delivered again. */
export class DuplicateWindow {
  /** In the order of delivery, so the oldest come first. */
  private readonly deliveredAt = new Map<string, number>();

  constructor(
    /** How long an id is remembered, ms. */
    private readonly spanMs: number,
    /** How many ids at the most; past it the oldest is forgotten first. */
    private readonly maxEntries: number,
  ) {}

  has(key: string): boolean {
    const at = this.deliveredAt.get(key);
    return at !== undefined && Date.now() - at < this.spanMs;
  }

  add(key: string): void {
    this.deliveredAt.delete(key);
    this.deliveredAt.set(key, Date.now());
    this.forget();
  }

  private forget(): void {
    const expired = Date.now() - this.spanMs;
    for (const [key, at] of this.deliveredAt) {
      if (at > expired && this.deliveredAt.size <= this.maxEntries) return;
      this.deliveredAt.delete(key);
    }
  }
}
