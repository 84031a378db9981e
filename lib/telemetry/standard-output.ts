import { writeSync } from 'node:fs';

const STDOUT = 1;
/** Past it, of a reader that does not read, lines are dropped, bytes. */
const MOST_WAITING = 16 * 2 ** 20;
const LOOK_AGAIN_MS = 10;
/** How long a process that ends waits for a reader that takes nothing at all. */
const LAST_WAIT_MS = 3000;

/**
 * Standard output without an end that swallows lines: what a pipe takes is with its reader when `write` returns. What
 * it does not take waits, and is written at the end of the process at the latest. `process.stdout` loses that: it is
 * not synchronous once a pipe is full. Never throws; what nobody can take any more is dropped.
 */
class StandardOutput {
  private waiting: Buffer[] = [];
  private size = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor() {
    void process.stdout; // makes a pipe answer EAGAIN where it would block
    process.on('exit', () => this.end());
  }

  readonly write = (line: string): void => {
    const bytes = Buffer.from(line);
    const left = this.size > 0 ? bytes : bytes.subarray(take(bytes));
    if (left.length === 0 || this.size + left.length > MOST_WAITING) return;
    this.waiting.push(left);
    this.size += left.length;
    this.timer ??= setTimeout(() => this.drain(), LOOK_AGAIN_MS).unref();
  };

  private drain(): void {
    this.timer = undefined;
    this.pass();
    if (this.size > 0) this.timer = setTimeout(() => this.drain(), LOOK_AGAIN_MS).unref();
  }

  /** Writes until the pipe is full. */
  private pass(): void {
    for (let first = this.waiting[0]; first; first = this.waiting[0]) {
      const taken = take(first);
      this.size -= taken;
      if (taken < first.length) return void (this.waiting[0] = first.subarray(taken));
      this.waiting.shift();
    }
  }

  private end(): void {
    let [left, until] = [this.size, Date.now() + LAST_WAIT_MS];
    for (this.pass(); this.size > 0 && Date.now() < until; this.pass()) {
      if (this.size < left) [left, until] = [this.size, Date.now() + LAST_WAIT_MS];
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_AGAIN_MS); // there is no event loop any more
    }
  }
}

/** How many bytes are gone, which all are that nobody will ever take. */
function take(bytes: Buffer): number {
  try {
    return writeSync(STDOUT, bytes);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EAGAIN' ? 0 : bytes.length;
  }
}

let output: StandardOutput | undefined;

/** Writes to standard output. */
export function toStandardOutput(line: string): void {
  output ??= new StandardOutput();
  output.write(line);
}
