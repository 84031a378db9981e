import { setTimeout as wait } from 'node:timers/promises';

/**
 * Retries until `fn` neither throws nor returns false, and returns what it returned.
 * @throws the last error of `fn`, or that it stayed false, after `timeoutMs` (default 10 s)
 */
export async function eventually<T>(
  fn: () => T | Promise<T>,
  { timeoutMs = 10_000, everyMs = 50 } = {},
): Promise<Exclude<T, false>> {
  const giveUpAt = Date.now() + timeoutMs;
  for (;;) {
    try {
      const result = await fn();
      if (result !== false) return result as Exclude<T, false>;
      if (Date.now() > giveUpAt) throw new Error(`Still false after ${timeoutMs} ms: ${fn.toString()}`);
    } catch (error) {
      if (Date.now() > giveUpAt) throw error;
    }
    await wait(everyMs);
  }
}
