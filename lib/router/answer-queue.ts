import type { Lifetime } from '../amqp/lifetime';

/** Answers to the tries of one message, in the order of their arrival, whichever try they belong to. */
export class AnswerQueue {
  private readonly answers: unknown[] = [];
  private wake: (() => void) | undefined;

  push(answer: unknown): void {
    this.answers.push(answer);
    this.wake?.();
  }

  /** The next answer, or undefined when none came within `timeoutMs` or before the `lifetime` ended. */
  next(timeoutMs: number, lifetime: Lifetime): Promise<{ answer: unknown } | undefined> {
    if (this.answers.length > 0 || lifetime.ended) return Promise.resolve(this.first());
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        lifetime.offEnd(done);
        this.wake = undefined;
        resolve(this.first());
      };
      const timer = setTimeout(done, timeoutMs);
      lifetime.onEnd(done);
      this.wake = done;
    });
  }

  private first(): { answer: unknown } | undefined {
    return this.answers.length > 0 ? { answer: this.answers.shift() } : undefined;
  }
}
