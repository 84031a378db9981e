/** Reading goes on when this part of the bound is free again, so that it is not switched for every message. */
export const RESUME_AT = 0.75;
/** Sockets that are read again in one turn of the event loop; each may bring a buffer full of messages, 64 kB. */
const AT_A_TIME = 4;

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
  private turn: NodeJS.Immediate | undefined;

  constructor(private readonly most: number) {}

  enter(): void {
    this.inFlight += 1;
    if (this.inFlight >= this.most) this.full = true;
  }

  leave(): void {
    this.inFlight -= 1;
    if (!this.full || this.inFlight > this.most * RESUME_AT) return;
    this.full = false;
    this.letGoOn();
  }

  /** Calls it once when there is room again. */
  whenFree(goOn: () => void): void {
    this.waiting.add(goOn);
  }

  /** A few in each turn: what a sender has waiting comes with the next turn, and may fill the room again by itself. */
  private readonly letGoOn = (): void => {
    clearImmediate(this.turn);
    if (this.full) return; // the rest waits for the next room
    for (const goOn of [...this.waiting].slice(0, AT_A_TIME)) {
      this.waiting.delete(goOn);
      goOn();
    }
    if (this.waiting.size > 0) this.turn = setImmediate(this.letGoOn);
  };
}
