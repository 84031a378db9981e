import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';

/** Readable for the user and for a group that a container may be given. */
const FOR_GROUP = 0o440;

/**
 * Writes a secret under its name only once it is whole, readable for our user and group alone unless told otherwise.
 * @throws whatever the file system has against it
 */
export function writeSecret(file: string, text: string, mode = FOR_GROUP): void {
  rmSync(`${file}.new`, { force: true });
  writeFileSync(`${file}.new`, text, { mode, flag: 'wx' });
  renameSync(`${file}.new`, file);
}

/** What is in the file without the line break that ends it; undefined when there is no such file or nothing in it. */
export function readSecret(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '') || undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
