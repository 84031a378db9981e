import { RetryableError } from '../errors';

/** For one question to RabbitMQ: a queue whose leader is frozen answers after a minute, or never. */
export const ANSWER_TIMEOUT_MS = 5000;

/** The promise, or RetryableError TIMEOUT after `timeoutMs`; the promise itself goes on. */
export async function within<T>(promise: Promise<T>, timeoutMs: number, why: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new RetryableError('TIMEOUT', `${why} (waited ${timeoutMs} ms)`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, expired]);
  } finally {
    clearTimeout(timer);
  }
}
