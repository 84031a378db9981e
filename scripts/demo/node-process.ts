import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { startGuard, type Guard } from '../lib/broker/guard';
import { readTail } from './node-log';

/** A process of the demo. */
export interface NodeSpec {
  /** For people; its files are named after it. */
  title: string;
  /** What moleculer-runner loads, below the project's folder. */
  services: string;
  /** Answers 200 once the process does its work. */
  readyUrl: string;
  /** All of its environment. */
  env: Record<string, string>;
}

const ROOT = path.join(__dirname, '../..');
const RUNNER = path.join(ROOT, 'node_modules/moleculer/bin/moleculer-runner.js');
const CONFIG = path.join(ROOT, 'dist/moleculer.config.js');
const READY_LIMIT_MS = 30_000;
/** Nodes wait for what is under way when they stop, most of the time for nothing. */
const STOP_LIMIT_MS = 8000;
const TAIL_LINES = 15;

/**
 * One node under a guard of its own, the one that brokers run under: it ends with this process, however that ends, and
 * a terminal's Ctrl-C does not reach it.
 */
export class NodeProcess {
  private stopping = false;

  private constructor(
    private readonly title: string,
    private readonly readyUrl: string,
    readonly log: string,
    private readonly guard: Guard,
  ) {}

  /**
   * Starts it; its output goes to a log in `dir`, which is emptied first.
   * @throws when an earlier one of the same name in the same folder does not end
   */
  static async start({ title, services, env, readyUrl }: NodeSpec, dir: string, say: (line: string) => void) {
    const name = title.toLowerCase().replaceAll(' ', '-');
    const log = path.join(dir, `${name}.log`);
    rmSync(log, { force: true });
    writeFileSync(log, '');
    const command: [string, ...string[]] = [process.execPath, RUNNER, '--config', CONFIG, path.join(ROOT, services)];
    const plan = { dir, lock: `${name}.sock`, processes: [{ command, log }], graceMs: STOP_LIMIT_MS, throwAway: false };
    return new NodeProcess(title, readyUrl, log, await startGuard(plan, env, say));
  }

  /** Rejects with the reason when it ends without being asked to; never resolves. */
  get death(): Promise<never> {
    return new Promise((_resolve, reject) => {
      const report = () => this.stopping || reject(new Error(this.complaint('ended by itself')));
      if (this.guard.ended.aborted) report();
      this.guard.ended.addEventListener('abort', report);
    });
  }

  /** Waits until it does its work. @throws when that takes too long, with its last words */
  async ready(): Promise<void> {
    const giveUpAt = Date.now() + READY_LIMIT_MS;
    for (let problem = await this.problem(); problem; problem = await this.problem()) {
      if (Date.now() > giveUpAt)
        throw new Error(this.complaint(`was not ready within ${READY_LIMIT_MS / 1000} s (${problem})`));
      await wait(50);
    }
  }

  /** Asks it to end, and after a while makes it. */
  stop(): Promise<void> {
    this.stopping = true;
    return this.guard.stop();
  }

  /** What keeps it from being ready; nothing when it is. */
  private async problem(): Promise<string | undefined> {
    try {
      const response = await fetch(this.readyUrl, { signal: AbortSignal.timeout(2000) });
      const text = await response.text();
      return response.ok ? undefined : `${response.status} ${text}`;
    } catch {
      return `no answer at ${this.readyUrl}`;
    }
  }

  private complaint(what: string): string {
    return `The ${this.title} ${what}. The end of ${this.log}:\n${readTail(this.log, TAIL_LINES)}`;
  }
}
