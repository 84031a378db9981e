import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import type { Socket } from 'node:net';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import type { Command } from './types';

const GUARD = path.join(__dirname, 'guard-process.mjs');
const LOG = 'guard.log';
const IN_USE = 75;
/** A clean stop of the previous node on the same folder takes about 6 s. */
const LOCK_WAIT_MS = 25_000;

/** What a guard starts and how it ends it. */
export interface GuardPlan {
  /** Working folder; removed by an ordered stop when `throwAway`. */
  dir: string;
  /** Socket in `dir` that says the folder is taken; none when nobody else can know the folder. */
  lock?: string;
  /** Started in this order, ended in reverse; the end of one ends all. Output goes to `log`, a file. */
  processes: { command: Command; log: string }[];
  /** Run when all have ended, for a broker that is not our child. */
  stopCommand?: Command;
  /** SIGTERM, and SIGKILL only after this, ms; `throwAway` is SIGKILL at once. */
  graceMs: number;
  throwAway: boolean;
}

type GuardProcess = ChildProcessByStdio<Writable, Readable, null>;

/** A guard at work, see guard-process.mjs. */
export interface Guard {
  /** What it started, in order; each is the first process of a group of its own. */
  pids: number[];
  /** Fires when the guard has ended, for whatever reason. */
  ended: AbortSignal;
  /** Has everything ended and waits for it. */
  stop(): Promise<void>;
}

/**
 * Starts a guard, waiting for an earlier one on the same folder to end.
 * @throws when the folder stays in use
 */
export async function startGuard(plan: GuardPlan, env: NodeJS.ProcessEnv, say: (line: string) => void): Promise<Guard> {
  const giveUpAt = Date.now() + LOCK_WAIT_MS;
  for (let tries = 0; ; tries++) {
    const child = spawnGuard(plan, env);
    const [first] = (await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])) as [Buffer | number | null];
    if (Buffer.isBuffer(first)) return guardOf(child, JSON.parse(first.toString()) as number[]);
    if (first !== IN_USE) throw new Error(`The broker's guard ended with ${first}, see ${path.join(plan.dir, LOG)}`);
    if (Date.now() > giveUpAt) throw new Error(`Another run is using ${plan.dir}: stop it first`);
    if (tries === 0) say(`Waiting for the earlier run on ${plan.dir} to end …`);
    await wait(500);
  }
}

function spawnGuard(plan: GuardPlan, env: NodeJS.ProcessEnv): GuardProcess {
  const log = openSync(path.join(plan.dir, LOG), 'a');
  const child = spawn(process.execPath, [GUARD, JSON.stringify(plan)], {
    cwd: plan.dir, // the lock is a relative path: a socket's full one may be too long
    env: { ...env, NODE_OPTIONS: undefined }, // may name files relative to another folder
    detached: true,
    stdio: ['pipe', 'pipe', log],
  });
  closeSync(log);
  return child as GuardProcess;
}

function guardOf(child: GuardProcess, pids: number[]): Guard {
  const ended = new AbortController();
  child.on('exit', (_code, signal) => {
    if (signal) pids.forEach(killGroup); // it could not end them itself
    ended.abort();
  });
  // A launcher with nothing left to do may end: that stops the broker as well.
  for (const handle of [child, child.stdin as Socket, child.stdout as Socket]) handle.unref();
  return { pids, ended: ended.signal, stop: () => stop(child) };
}

async function stop(child: GuardProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.ref();
  const exited = once(child, 'exit');
  child.stdin.end();
  await exited;
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // gone already
  }
}
