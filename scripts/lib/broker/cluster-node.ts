import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { runCommand } from '../run-command';
import type { InstalledServer } from './find-server';
import { startGuard, type Guard } from './guard';
import { logTail } from './log-tail';
import { nodeEnv, writeNodeFiles, type NodeIdentity, type NodePorts } from './node-files';
import { amqpAnswers } from './readiness';
import type { Command } from './types';

const HOST = '127.0.0.1';
const BOOT_LIMIT_MS = 120_000;
const CTL_LIMIT_MS = 60_000;

/** What a node needs to run and to find the others. */
export interface NodeSetup {
  installed: InstalledServer;
  identity: NodeIdentity;
  ports: NodePorts;
  /** More lines for `rabbitmq.conf`. */
  conf: string[];
  env: NodeJS.ProcessEnv;
}

/** A node of a cluster: one process that can be killed, frozen and started again with the data it had. */
export class ClusterNode {
  readonly host = HOST;
  readonly name: string;
  readonly port: number;
  readonly managementUrl: string;
  /** Port of RabbitMQ's own `/metrics` on `host`. */
  readonly prometheusPort: number;
  private readonly nodeEnv: NodeJS.ProcessEnv;
  private guard: Guard | undefined;

  constructor(
    /** Home of the node: its data, logs and configuration. */
    private readonly dir: string,
    private readonly setup: NodeSetup,
  ) {
    const { identity, ports, conf, env } = setup;
    this.name = identity.name;
    this.port = ports.amqp;
    this.managementUrl = `http://${HOST}:${ports.management}`;
    this.prometheusPort = ports.prometheus;
    this.nodeEnv = nodeEnv(dir, identity, ports, env);
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    writeNodeFiles(dir, identity, ports, true, conf);
  }

  /** Process id of the node; undefined while it does not run. */
  get pid(): number | undefined {
    return this.guard && !this.guard.ended.aborted ? this.guard.pids[0] : undefined;
  }

  /**
   * Starts the node and resolves when it answers. One that was stopped with a majority of the others answers only when
   * these are back: start them together.
   * @throws with the end of its logs when it does not come up
   */
  async start(): Promise<void> {
    if (this.pid) return;
    const process = {
      command: [this.setup.installed.server] as Command,
      log: path.join(this.dir, 'log', 'console.log'),
    };
    // No grace: whatever ends its launcher, a throw-away node is killed. `stop` is the clean way.
    const plan = { dir: this.dir, processes: [process], graceMs: 0, throwAway: false };
    const guard = await startGuard(plan, this.nodeEnv, () => undefined);
    this.guard = guard;
    try {
      await amqpAnswers({ host: HOST, port: this.port, timeoutMs: BOOT_LIMIT_MS, signal: guard.ended });
    } catch (error) {
      throw new Error(`${this.name}: ${(error as Error).message}. The end of its logs:\n${logTail(this.dir)}`, {
        cause: error,
      });
    }
  }

  /** Stops the node in order, about 6 s: it takes leave of the others. */
  async stop(): Promise<void> {
    await this.signalAndWait('SIGTERM');
  }

  /** Ends the node as a power cut would. */
  async kill(): Promise<void> {
    await this.signalAndWait('SIGKILL');
  }

  /** Freezes the node: its connections stay open and nothing is answered. */
  pause(): void {
    this.signal('SIGSTOP');
  }

  /** Lets a frozen node go on. The others may have counted it out meanwhile; then only a restart brings it back. */
  resume(): void {
    this.signal('SIGCONT');
  }

  /** Runs `rabbitmqctl` against the node and returns what it printed; throws when that fails. */
  async ctl(...args: string[]): Promise<string> {
    const program = path.join(path.dirname(this.setup.installed.server), 'rabbitmqctl');
    const run = await runCommand([program, ...args], { env: this.nodeEnv, timeoutMs: CTL_LIMIT_MS });
    if (run.code !== 0)
      throw new Error(`rabbitmqctl ${args.join(' ')} ended with ${run.code}: ${run.stdout}${run.stderr}`);
    return run.stdout;
  }

  /** Ends the node, frozen or not, and whatever it started. */
  async end(): Promise<void> {
    await this.guard?.stop();
  }

  private async signalAndWait(signal: NodeJS.Signals): Promise<void> {
    if (!this.pid) return;
    this.signal(signal);
    while (this.pid) await wait(20); // an event would not keep this process alive
  }

  private signal(signal: NodeJS.Signals): void {
    const { pid } = this;
    if (!pid) throw new Error(`${this.name} does not run`);
    process.kill(-pid, signal); // its group: it is the first process of one
  }
}
