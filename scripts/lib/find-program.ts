import { accessSync, constants } from 'node:fs';
import path from 'node:path';

const MORE_DIRS = [
  '/usr/local/sbin',
  '/usr/local/bin',
  '/opt/homebrew/sbin',
  '/opt/homebrew/bin',
  '/usr/sbin',
  '/usr/bin',
];

/** The folders of a search path, and those where programs lie that are not always on it. */
export function programDirs(searchPath: string): string[] {
  return [...searchPath.split(path.delimiter).filter(Boolean), ...MORE_DIRS];
}

/** The first program of that name in the folders. */
export function firstProgram(name: string, dirs: string[], isProgram: (file: string) => boolean): string | undefined {
  return dirs.map((dir) => path.join(dir, name)).find(isProgram);
}

/** Whether this process may run the file. */
export function executable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false; // missing or not ours to run: the next folder
  }
}
