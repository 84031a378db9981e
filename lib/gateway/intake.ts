/** Reading goes on when this part of the bound is free again, so that it is not switched for every message. */
export const RESUME_AT = 0.75;

/**
 * What all agents of a node have on its way to the broker, together. Past the bound whoever sends is not read: what waits
 * then waits with its sender, where it takes neither our memory nor the time that its confirm has.
 */
export class Intake {
  /** Messages taken and not answered yet, of whichever agent. */
  inFlight = 0;
  /** Set at the bound, until enough of it is done. */
  full = false;
  private readonly waiting = new Set<() => void>();

  constructor(private readonly most: number) {}

  enter(): void {
    this.inFlight += 1;
    if (this.inFlight >= this.most) this.full = true;
  }

  leave(): void {
    this.inFlight -= 1;
    if (!this.full || this.inFlight > this.most * RESUME_AT) return;
    this.full = false;
    const all = [...this.waiting];
    this.waiting.clear();
    for (const goOn of all) goOn();
  }

  /** Calls it once when there is room again. */
  whenFree(goOn: () => void): void {
    this.waiting.add(goOn);
  }
}
