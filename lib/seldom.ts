interface Counted {
  said: boolean;
  heldBack: number;
}

/**
 * Lets each thing be said once per period and counts the rest. It knows a bounded number of things at a time; all that
 * are beyond it count as one.
 */
export class Seldom {
  private things = new Map<string, Counted>();
  private until = 0;

  constructor(
    private readonly periodMs: number,
    private readonly maxThings = 1000,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** How often the thing was held back since it was said last; undefined when it is to be held back now. */
  mayTell(thing: string): number | undefined {
    if (this.now() >= this.until) this.begin();
    const key = this.things.has(thing) || this.things.size < this.maxThings ? thing : '';
    const counted = this.things.get(key) ?? { said: false, heldBack: 0 };
    this.things.set(key, counted);
    if (counted.said) {
      counted.heldBack += 1;
      return undefined;
    }
    const { heldBack } = counted;
    this.things.set(key, { said: true, heldBack: 0 });
    return heldBack;
  }

  /** What was held back is told with the next one of its kind. */
  private begin(): void {
    this.until = this.now() + this.periodMs;
    const kept = [...this.things].filter(([, { heldBack }]) => heldBack > 0);
    this.things = new Map(kept.map(([key, { heldBack }]) => [key, { said: false, heldBack }]));
  }
}
