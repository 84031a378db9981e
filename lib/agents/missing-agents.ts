/** What a whole answer of CentOps says about the agents that it lacks. */
export interface Verdict {
  /** They left. */
  left: string[];
  /** They are missing and kept so far. */
  kept: string[];
  /** CentOps lacks so many that only an operator may take them away. */
  suspicious: boolean;
}

const LOOKS = 3;
/** With fewer agents every removal would be most of them. */
const FEW_AGENTS = 4;
/** Removals within this time count together, so that a list that shrinks bit by bit is seen as well, ms. */
const TOGETHER_MS = 3_600_000;

/** Decides when an agent that CentOps lists no longer has left; remembers in memory, for one node's own looks. */
export class MissingAgents {
  /** By id: since when it was missing in every look, and in how many. */
  private readonly noted = new Map<string, { since: number; looks: number }>();
  /** By id: when this node saw it go. */
  private readonly removed = new Map<string, number>();

  /** `removeAfterMs`: how long an agent must be missing in every answer; 0 believes the first one. */
  constructor(private readonly removeAfterMs: number) {}

  /** Who is missing and kept so far. */
  ids(): string[] {
    return [...this.noted.keys()];
  }

  /** Looks at what a whole answer lacks of the known ids; `accept`: an operator says that it is right. */
  judge(known: string[], listed: ReadonlySet<string>, accept: boolean): Verdict {
    const gone = known.filter((id) => !listed.has(id));
    for (const id of this.ids()) if (!gone.includes(id)) this.noted.delete(id);
    if (!accept && this.isMass(gone.length, known.length)) {
      this.noted.clear();
      return { left: [], kept: gone, suspicious: true };
    }
    for (const id of gone) this.note(id);
    const left = gone.filter((id) => accept || this.isConfirmed(id));
    for (const id of left) this.noted.delete(id);
    return { left, kept: this.ids(), suspicious: false };
  }

  /** An answer failed or was not whole: it says nothing, and what the ones before said has to be said again. */
  restart(): Verdict {
    for (const entry of this.noted.values()) entry.looks = 0;
    return { left: [], kept: this.ids(), suspicious: false };
  }

  /** An operator looked at the removals so far: they count no more. */
  approve(): void {
    this.removed.clear();
  }

  /** CentOps listed the agent to somebody. */
  seen(id: string): void {
    this.noted.delete(id);
    this.removed.delete(id);
  }

  /** The agent left the list, by whoever's look. */
  gone(id: string): void {
    this.noted.delete(id);
    this.removed.set(id, performance.now());
  }

  private note(id: string): void {
    const entry = this.noted.get(id);
    if (!entry || entry.looks === 0) this.noted.set(id, { since: performance.now(), looks: 1 });
    else entry.looks += 1;
  }

  private isConfirmed(id: string): boolean {
    if (this.removeAfterMs === 0) return true;
    const { since, looks } = this.noted.get(id) ?? { since: Infinity, looks: 0 };
    return looks >= LOOKS && performance.now() - since >= this.removeAfterMs;
  }

  /** Whether more than half of all agents would be gone, those of the last hour included. */
  private isMass(gone: number, known: number): boolean {
    if (gone === 0) return false;
    for (const [id, at] of this.removed) if (performance.now() - at >= TOGETHER_MS) this.removed.delete(id);
    const recent = this.removed.size;
    return known + recent >= FEW_AGENTS && (gone + recent) * 2 > known + recent;
  }
}
