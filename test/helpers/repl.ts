import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { eventually } from './eventually';

const ROOT = path.join(__dirname, '../..');
const PROMPT = 'dmr $ ';

const RUNNER = ['node_modules/moleculer/bin/moleculer-runner.js', '--config', 'dist/moleculer.config.js', '--repl'];

/** What to start as a REPL, and where. */
export interface ReplProgram {
  file: string;
  args: string[];
  cwd: string;
}

/** That of `npm run repl`. */
const OWN: ReplProgram = { file: process.execPath, args: RUNNER, cwd: ROOT };

/** A REPL node as an operator starts it: a process that joins the mesh and gets its commands piped in. */
export class Repl {
  private output = '';
  private readonly child: ChildProcess;

  private constructor(env: NodeJS.ProcessEnv, { file, args, cwd }: ReplProgram) {
    this.child = spawn(file, args, {
      cwd,
      env: { PATH: process.env['PATH'], DMR_ROLE: 'repl', LOGGER_COLORS: 'false', LOGGER_LOG_LEVELS: 'error', ...env },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    this.child.stdout?.on('data', (data: Buffer) => (this.output += data.toString()));
  }

  /** Starts it and waits for the prompt; the other nodes introduce themselves a moment later. */
  static async start(env: NodeJS.ProcessEnv, program = OWN): Promise<Repl> {
    const repl = new Repl(env, program);
    await eventually(() => repl.output.includes(PROMPT), { timeoutMs: 20_000 });
    return repl;
  }

  /** Types a command and returns all that was printed until the next prompt. */
  async type(command: string, timeoutMs = 30_000): Promise<string> {
    const before = this.output.length;
    this.child.stdin?.write(`${command}\n`);
    await eventually(() => this.output.length > before && this.output.endsWith(PROMPT), { timeoutMs, everyMs: 20 });
    return this.output.slice(before, -PROMPT.length);
  }

  /** The one JSON value that a command prints; throws when it prints anything else. */
  async json<T>(command: string): Promise<T> {
    return JSON.parse(await this.type(`${command} --json`)) as T;
  }

  /** Quits; the exit code. */
  async quit(): Promise<number | null> {
    if (this.child.exitCode !== null) return this.child.exitCode;
    const ended = once(this.child, 'exit', { signal: AbortSignal.timeout(15_000) });
    this.child.stdin?.end('q\n');
    await ended.catch(() => this.child.kill('SIGKILL'));
    return this.child.exitCode;
  }
}
