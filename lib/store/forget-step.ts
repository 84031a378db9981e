import type { AgentStore } from './agent-store';

/** Entries that are forgotten in one transaction: a few milliseconds of work. */
const STEP = 100;

/** What is forgotten by its age: its entries by id, and their times as `[time, id]`, oldest first. */
export interface Aged {
  entries: string;
  times: string;
  /** The time that the entry has now. */
  timeOf: (id: string) => number | undefined;
}

/**
 * Forgets the oldest of what is from before `end`, a few at a time; an entry that has a later time by now stays, unless that
 * is being written at this very moment. True when there may be more. Throws RetryableError STORAGE_FAILED.
 */
export async function forgetStep(store: AgentStore, { entries, times, timeOf }: Aged, end: number): Promise<boolean> {
  const old = store.database<1>(times).range({ end: [end], limit: STEP });
  if (old.length === 0) return false;
  const keys = old.map(({ key }) => key as [number, string]);
  const gone = keys.filter(([time, id]) => timeOf(id) === time);
  await store.write([
    ...keys.map((key) => ({ database: times, key })),
    ...gone.map(([, id]) => ({ database: entries, key: id })),
  ]);
  return old.length === STEP;
}
