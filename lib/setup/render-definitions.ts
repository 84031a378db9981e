import { readFileSync } from 'node:fs';
import path from 'node:path';
import { messageOf } from '../errors';
import { withPasswords, type BrokerDefinitions } from './broker-definitions';
import { readSecret, writeSecret } from './secret-files';

/** EX_USAGE of sysexits.h. */
const EXIT_USAGE = 64;
const USAGE = `\
Usage: node dist/lib/setup/render-definitions.js DEFINITIONS PASSWORDS OUTPUT
Writes to the file OUTPUT what the file DEFINITIONS holds, with the hash of each user's password.
PASSWORDS is a folder with one file for each user, named after the user, with the password in it.
`;

/**
 * Writes definitions that RabbitMQ can load.
 * @throws {FinalError} PASSWORD_MISSING, or what the file system or the parser says
 */
export function renderDefinitions(definitionsFile: string, passwords: string, output: string): void {
  const definitions = JSON.parse(readFileSync(definitionsFile, 'utf8')) as BrokerDefinitions;
  const rendered = withPasswords(definitions, (user) => readSecret(path.join(passwords, user)));
  writeSecret(output, `${JSON.stringify(rendered, null, 2)}\n`);
}

function main([definitions, passwords, output, ...more]: string[]): number {
  if (!definitions || !passwords || !output || more.length > 0) {
    process.stderr.write(USAGE);
    return EXIT_USAGE;
  }
  try {
    renderDefinitions(definitions, passwords, output);
    return 0;
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`);
    return 1;
  }
}

if (require.main === module) process.exitCode = main(process.argv.slice(2));
