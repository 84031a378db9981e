import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { setTimeout as delay } from 'node:timers/promises';

export interface ChildSpec {
  /** Its output goes to `<dir>/<name>.log`. */
  name: string;
  dir: string;
  /** Arguments of Node.js. */
  args: string[];
  env: NodeJS.ProcessEnv;
  /** Answers 200 once the process does its work. */
  readyUrl: string;
}

const END_WITH_PARENT = pathToFileURL(path.join(__dirname, 'end-with-parent.mjs')).href;
const READY_LIMIT_MS = 60_000;
const TERM_LIMIT_MS = 30_000;

/** A node of a mesh under drill or measurement, which is ended, frozen and started again on purpose. */
export class Child {
  private child: ChildProcess | undefined;

  constructor(private readonly spec: ChildSpec) {}

  get name(): string {
    return this.spec.name;
  }

  get pid(): number {
    if (!this.child?.pid) throw new Error(`${this.name} is not running`);
    return this.child.pid;
  }

  /** Starts it again after an end, or for the first time. */
  start(): void {
    const { name, dir, args, env } = this.spec;
    const log = openSync(path.join(dir, `${name}.log`), 'a', 0o600);
    const stdio = ['ignore', log, log, 'ipc'] as const;
    this.child = spawn(process.execPath, ['--import', END_WITH_PARENT, ...args], { env, stdio: [...stdio] });
    closeSync(log);
  }

  /** Waits until it does its work. @throws when it ends or takes too long */
  async ready(): Promise<void> {
    const giveUpAt = Date.now() + READY_LIMIT_MS;
    while (!(await this.answers())) {
      if (this.ended) throw new Error(`${this.name} ended by itself, see ${this.name}.log in ${this.spec.dir}`);
      if (Date.now() > giveUpAt) throw new Error(`${this.name} is not ready after ${READY_LIMIT_MS / 1000} s`);
      await delay(100);
    }
  }

  /** SIGKILL, or nothing when it has ended. */
  async kill(): Promise<void> {
    if (this.ended) return;
    const gone = once(this.child as ChildProcess, 'exit');
    this.signal('SIGKILL');
    await gone;
  }

  /** SIGTERM; resolves to how long the end took, ms. @throws when it does not end */
  async terminate(): Promise<number> {
    if (this.ended) return 0;
    const asked = Date.now();
    const gone = once(this.child as ChildProcess, 'exit', { signal: AbortSignal.timeout(TERM_LIMIT_MS) });
    this.signal('SIGTERM');
    try {
      await gone;
    } catch {
      await this.kill();
      throw new Error(`${this.name} did not end within ${TERM_LIMIT_MS / 1000} s of SIGTERM`);
    }
    return Date.now() - asked;
  }

  /** Sends it a message that a module loaded ahead of it understands. */
  tell(message: string): void {
    this.child?.send(message);
  }

  pause(): void {
    this.signal('SIGSTOP');
  }

  resume(): void {
    this.signal('SIGCONT');
  }

  get ended(): boolean {
    return !this.child || this.child.exitCode !== null || this.child.signalCode !== null;
  }

  private signal(signal: NodeJS.Signals): void {
    this.child?.kill(signal);
  }

  private async answers(): Promise<boolean> {
    try {
      const response = await fetch(this.spec.readyUrl, { signal: AbortSignal.timeout(2000) });
      await response.body?.cancel();
      return response.ok;
    } catch {
      return false;
    }
  }
}
