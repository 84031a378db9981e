/** What a histogram observed since it was read last, summed up: an update of the collector's for each value costs more. */
export class Tally {
  /** By upper bound, each value in the first that it does not exceed; beyond the last in none. */
  readonly counts: number[];
  sum = 0;
  count = 0;

  /** @param bounds upper bounds, rising */
  constructor(readonly bounds: readonly number[]) {
    this.counts = bounds.map(() => 0);
  }

  add(value: number): void {
    this.sum += value;
    this.count += 1;
    const { bounds, counts } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++;
    if (bucket < bounds.length) counts[bucket] = (counts[bucket] as number) + 1;
  }
}
