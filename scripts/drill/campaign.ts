import { setTimeout as delay } from 'node:timers/promises';
import type { Ledger } from './ledger';
import type { Load } from './load';
import { progressLine, type Row } from './table';

/** Something to break while the load goes on. */
export interface Disturbance {
  name: string;
  /** Resolves when the fault is over. */
  run: () => Promise<void>;
}

export interface CampaignOptions {
  /** Messages that each fault is given at least. */
  quota: number;
  /** How long what is still on its way at the end is waited for, ms. */
  settleMs: number;
  say: (line: string) => void;
  signal: AbortSignal;
}

const POLL_MS = 100;
const RECOVERY_LIMIT_MS = 60_000;
const SETTLE_LIMIT_MS = 30_000;

/** Breaks one thing after the other under load and says how long each took to recover from. */
export async function campaign(
  disturbances: Disturbance[],
  load: Load,
  ledger: Ledger,
  options: CampaignOptions,
): Promise<Row[]> {
  const rows: Row[] = [];
  load.fault = disturbances[0]?.name ?? '';
  load.start();
  for (const { name, run } of disturbances) {
    options.signal.throwIfAborted();
    load.fault = name;
    await run();
    const row = { fault: name, recoveryMs: await recovered(name, Date.now(), load, ledger) };
    await until(() => ledger.countOf(name) >= options.quota || options.signal.aborted, Infinity);
    await until(() => settled(ledger, name), Math.min(SETTLE_LIMIT_MS, options.settleMs));
    rows.push(row);
    options.say(progressLine(row, ledger.sums(name)));
  }
  await load.stop();
  await until(() => ledger.outstanding === 0, options.settleMs);
  return rows;
}

async function recovered(fault: string, endedAt: number, load: Load, ledger: Ledger): Promise<number | undefined> {
  let through: number | undefined;
  await until(() => {
    through = ledger.throughSince(fault, endedAt, load.pairs);
    return through !== undefined;
  }, RECOVERY_LIMIT_MS);
  return through === undefined ? undefined : through - endedAt;
}

/** New messages are always under way; what is older than a second should not be. */
function settled(ledger: Ledger, fault: string): boolean {
  const before = Date.now() - 1000;
  return ledger.lost().every((entry) => entry.fault !== fault || (entry.acceptedAt ?? 0) > before);
}

async function until(fact: () => boolean, limitMs: number): Promise<void> {
  const giveUpAt = Date.now() + limitMs;
  while (!fact() && Date.now() < giveUpAt) await delay(POLL_MS);
}
