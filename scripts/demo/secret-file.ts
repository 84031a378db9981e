import { rmSync, writeFileSync } from 'node:fs';

/** Writes a file that only its owner can read, whatever was there before. */
export function writeSecret(file: string, text: string): void {
  rmSync(file, { force: true }); // a mode is given to new files only
  writeFileSync(file, text, { mode: 0o600 });
}

/**
 * The text of an env file as dotenv reads it.
 * @throws when a value cannot be written in one
 */
export function envFile(variables: Record<string, string>): string {
  return Object.entries(variables)
    .map(([name, value]) => `${name}=${quoted(name, value)}\n`)
    .join('');
}

/** There is no escaping in such a file, only the choice of the quote; a double one would turn `\n` into a line break. */
function quoted(name: string, value: string): string {
  const quote = ["'", '`'].find((mark) => !value.includes(mark));
  if (!quote) throw new Error(`The value of ${name} cannot be written into an env file`);
  return `${quote}${value}${quote}`;
}
