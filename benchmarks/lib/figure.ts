/** One line of the table: what was measured, and what it is judged by. */
export interface Figure {
  /** Its name in the committed results. */
  key: string;
  what: string;
  /** What was measured, with its unit. */
  measured: string;
  /** What stood beside it in the same run. */
  beside: string;
  /** The number that the goal is about. */
  judged: number;
  /** What it is in, when it is no ratio. */
  unit?: string;
  goal: Goal;
  /**
   * Whether the number says the same on another machine, so that it may be held against earlier ones. What must not happen at
   * all is judged by its goal alone.
   */
  comparable: boolean;
}

export type Goal = { atLeast: number } | { atMost: number };

export function isMet({ judged, goal }: Pick<Figure, 'judged' | 'goal'>): boolean {
  return 'atLeast' in goal ? judged >= goal.atLeast : judged <= goal.atMost;
}

/** A number as the table shows it: three digits that count. */
export function shown(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toLocaleString('en-US', { maximumFractionDigits: digits });
}
