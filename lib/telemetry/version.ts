import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** The version in our package.json: the folder above, and in a build the one above that. */
export function ownVersion(): string {
  const folders = ['../..', '../../..'].map((up) => path.join(__dirname, up, 'package.json'));
  const file = folders.find((candidate) => existsSync(candidate));
  if (!file) return 'unknown';
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
