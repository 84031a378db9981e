import { readFileSync } from 'node:fs';
import type { Rule } from './rules';

/** A file that exists and may be read; the value is its path. */
export function readableFile(): Rule<string> {
  const parse = (path: string) => (contentOf(path) === undefined ? undefined : path);
  return { wants: 'a file that can be read', parse };
}

/** A readable file with PEM text in it that `is` what is wanted; the value is that text. */
export function pemFile(what: string, is: (pem: string) => boolean): Rule<string> {
  const parse = (path: string) => {
    const pem = contentOf(path);
    return pem !== undefined && is(pem) ? pem : undefined;
  };
  return { wants: `a file that can be read and holds ${what} as PEM`, parse };
}

function contentOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // missing, a folder, or not ours to read: the error names the variable and the path
  }
}
