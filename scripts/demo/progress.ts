const FRAMES = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏';
const FRAME_MS = 100;
const CLEAR_LINE = '\r\x1b[2K';
const TITLE_WIDTH = 34;

/** Where the demo writes. */
export interface Output {
  columns?: number;
  write(text: string): unknown;
}

/** Tells a person what is going on: on a terminal with a live line for what is under way, else in plain lines. */
export class Progress {
  /** What is under way, with the latest said of each. */
  private readonly running = new Map<string, string>();
  private frame = 0;
  private drawn = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly output: Output,
    private readonly live: boolean,
  ) {}

  /** Shows `title` until `work` is done, then how long it took. `work` may say a line in between. */
  async step<T>(title: string, work: (say: (line: string) => void) => Promise<T>): Promise<T> {
    const start = performance.now();
    this.begin(title);
    try {
      const result = await work((line) => this.note(title, line));
      this.end(title);
      this.print(`  ✓ ${title.padEnd(TITLE_WIDTH)}${((performance.now() - start) / 1000).toFixed(1).padStart(5)} s`);
      return result;
    } finally {
      this.end(title);
    }
  }

  /** Writes lines that stay. */
  print(text = ''): void {
    this.clear();
    this.output.write(`${text}\n`);
    this.draw();
  }

  /** Takes what is still under way off the live line: it will not come to its end. */
  giveUp(): void {
    this.running.clear();
    this.draw();
  }

  private begin(title: string): void {
    this.running.set(title, title);
    if (this.live) this.timer ??= setInterval(() => this.draw(), FRAME_MS).unref();
  }

  private note(title: string, line: string): void {
    if (!this.live) return this.print(`    ${line}`);
    this.running.set(title, line);
    this.draw();
  }

  private end(title: string): void {
    this.running.delete(title);
    this.draw();
  }

  private draw(): void {
    this.clear();
    if (!this.live || this.running.size === 0) return;
    const line = `  ${FRAMES[this.frame++ % FRAMES.length]} ${[...this.running.values()].join(', ')}`;
    this.output.write(line.slice(0, (this.output.columns ?? 80) - 1)); // one that wraps could not be cleared
    this.drawn = true;
  }

  private clear(): void {
    if (this.drawn) this.output.write(CLEAR_LINE);
    this.drawn = false;
  }
}
