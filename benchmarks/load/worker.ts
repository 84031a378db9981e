import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { pathToFileURL } from 'node:url';
import path from 'node:path';

const END_WITH_PARENT = pathToFileURL(path.join(__dirname, '../../scripts/lib/end-with-parent.mjs')).href;

interface Call {
  call: number;
  method: string;
  args: unknown[];
}

interface Answer {
  call: number;
  result?: unknown;
  error?: string;
}

/** What a load process can be asked to do: methods with arguments and results that JSON can hold. */
export type Methods = Record<string, (...args: never[]) => unknown>;

type Remote<M extends Methods> = {
  [K in keyof M]: (...args: Parameters<M[K]>) => Promise<Awaited<ReturnType<M[K]>>>;
};

/** A process that makes load, so that what it costs is not counted as ours. */
export class Worker<M extends Methods> {
  private readonly child: ChildProcess;
  private readonly waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  private calls = 0;

  /** @param file a script that calls `serve`, in this folder */
  constructor(file: string, execArgv: string[] = []) {
    const script = path.join(__dirname, file);
    this.child = fork(script, { execArgv: ['--import', 'tsx', '--import', END_WITH_PARENT, ...execArgv] });
    this.child.on('message', (answer: Answer) => this.answered(answer));
    this.child.on('exit', (code, signal) => {
      for (const { reject } of this.waiting.values()) reject(new Error(`${file} ended: ${signal ?? code}`));
      this.waiting.clear();
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** The methods of the other side. */
  readonly remote = new Proxy({} as Remote<M>, {
    get:
      (_target, method: string) =>
      (...args: unknown[]) =>
        this.call(method, args),
  });

  /** Ends it and waits. */
  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    await gone;
  }

  private call(method: string, args: unknown[]): Promise<unknown> {
    const call = ++this.calls;
    return new Promise((resolve, reject) => {
      this.waiting.set(call, { resolve, reject });
      this.child.send({ call, method, args } satisfies Call);
    });
  }

  private answered({ call, result, error }: Answer): void {
    const waiting = this.waiting.get(call);
    this.waiting.delete(call);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(error));
  }
}

/** Answers the calls of the parent process; each method runs as it is called. */
export function serve(methods: Methods): void {
  process.on('message', (message: Call) => void answer(methods, message));
  process.channel?.ref(); // stays until the parent ends it
}

async function answer(methods: Methods, { call, method, args }: Call): Promise<void> {
  const tell = (answer: Answer) => process.send?.(answer);
  try {
    tell({ call, result: await methods[method]?.(...(args as never[])) });
  } catch (error) {
    tell({ call, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}
