import { RetryableError } from '../errors';

/** RetryableError STORAGE_FAILED for anything that kept the agent from writing to its disk. */
export function storageFailed(cause: unknown): RetryableError {
  if (cause instanceof RetryableError) return cause;
  const text = cause instanceof Error ? cause.message : String(cause);
  const why = text.split(/[:,]/)[0] ?? text;
  return new RetryableError('STORAGE_FAILED', `The agent cannot write to AGENT_DATA_DIR: ${why}`, { cause });
}
