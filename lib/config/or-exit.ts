import { ConfigError } from './config-error';

/** EX_CONFIG of sysexits.h. */
const EXIT_CODE = 78;

/**
 * What `load` returns; when the configuration is wrong, one line on stderr and exit code 78 instead.
 * @throws whatever else `load` throws.
 */
export function orExit<T>(load: () => T): T {
  try {
    return load();
  } catch (error) {
    exit(error);
  }
}

/** The same for what takes time, such as the look at a directory. */
export async function orExitAsync<T>(load: () => Promise<T>): Promise<T> {
  return load().catch(exit);
}

function exit(error: unknown): never {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(EXIT_CODE);
}
