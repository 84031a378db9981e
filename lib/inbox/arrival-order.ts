/** Puts what is prepared side by side back into the order in which it arrived. */
export class ArrivalOrder {
  private last: Promise<unknown> = Promise.resolve();

  /**
   * Calls `enter` with what the preparation resolved to, when those of all earlier arrivals have ended too, well or not.
   * Rejects as either of the two does.
   */
  enter<T, R>(preparation: Promise<T>, enter: (prepared: T) => Promise<R>): Promise<R> {
    const ended = preparation.catch(() => undefined); // its own caller hears of it just below
    const turn = this.last.then(() => ended);
    this.last = turn; // what comes next registers behind this one, so it enters behind it
    return turn.then(() => preparation).then(enter);
  }
}
