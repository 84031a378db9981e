import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** The end of every log of the node in `dir`. */
export function logTail(dir: string): string {
  const files = readdirSync(path.join(dir, 'log')).map((name) => path.join(dir, 'log', name));
  return [path.join(dir, 'guard.log'), ...files].map((file) => lastLines(file, 15)).join('');
}

function lastLines(file: string, count: number): string {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n').slice(-count);
  return lines.join('') && `${path.basename(file)}:\n${lines.join('\n')}\n`;
}
