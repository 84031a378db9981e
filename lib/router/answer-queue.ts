/** Answers to the tries of one message, in the order of their arrival, whichever try they belong to. */
export class AnswerQueue {
  private readonly answers: unknown[] = [];
  private wake: (() => void) | undefined;

  push(answer: unknown): void {
    this.answers.push(answer);
    this.wake?.();
  }

  /** The next answer, or undefined when none came within `timeoutMs` or `signal` aborted. */
  async next(timeoutMs: number, signal: AbortSignal): Promise<{ answer: unknown } | undefined> {
    if (this.answers.length === 0 && !signal.aborted) await this.arrival(timeoutMs, signal);
    return this.answers.length > 0 ? { answer: this.answers.shift() } : undefined;
  }

  private arrival(timeoutMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        this.wake = undefined;
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      signal.addEventListener('abort', done);
      this.wake = done;
    });
  }
}
