import type { Figure } from './figure';
import type { Ground, Mesh } from './ground';
import { cpuUs } from './process-stats';

/** What every case gets. */
export interface Bench {
  ground: Ground;
  /** How often each measurement is taken; its median counts. */
  rounds: number;
  /** How long each load lasts, ms. */
  measureMs: number;
  /** The short form, in which the largest numbers are a tenth. */
  quick: boolean;
  say: (line: string) => void;
}

export type Case = (bench: Bench) => Promise<Figure[]>;

export const PAYLOAD_BYTES = 1024;
export const SENDERS = 10;
export const PREFETCH = 50;

/** The same work several times, one after the other. */
export async function repeated<T>(rounds: number, work: (round: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let round = 0; round < rounds; round++) results.push(await work(round));
  return results;
}

/** CPU that all servers of a mesh take for one message under full load, µs. */
export async function serverUs({ measureMs }: Bench, { pids, ring }: Mesh): Promise<number> {
  const load = { senders: SENDERS, inFlight: 50, warmUpMs: 1000, measureMs, payloadBytes: PAYLOAD_BYTES };
  const used = () => pids.reduce((sum, pid) => sum + cpuUs(pid), 0);
  const before = used();
  const { delivered } = await ring.remote.full(load);
  return (used() - before) / delivered;
}
