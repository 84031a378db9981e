/** Work that is done one after the other for each key, in the order it was asked for; keys do not wait for each other. */
export class Turns {
  private readonly last = new Map<string, Promise<unknown>>();

  /** Does the work when what was asked for before is through, well or not; resolves or rejects as the work does. */
  run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const turn = this.until(key).then(work);
    const settled = turn.catch(() => undefined); // whoever asked for it hears of it
    this.last.set(key, settled);
    void settled.then(() => {
      if (this.last.get(key) === settled) this.last.delete(key);
    });
    return turn;
  }

  /** Whether something that was asked for under the key is not through. */
  isBusy(key: string): boolean {
    return this.last.has(key);
  }

  /** Resolves when everything that was asked for under the key until now is through. */
  async until(key: string): Promise<void> {
    await this.last.get(key);
  }

  /** Resolves when everything that was asked for until now is through. */
  async settled(): Promise<void> {
    await Promise.all(this.last.values());
  }
}
