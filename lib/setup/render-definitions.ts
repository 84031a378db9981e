import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { FinalError, messageOf } from '../errors';
import { withPasswords, type BrokerDefinitions } from './broker-definitions';
import { readSecret } from './secret-files';

/** The definitions of this package: two folders above, and in a build three. */
export const OWN_DEFINITIONS = ownDefinitions();

function ownDefinitions(): string {
  const [source = '', built = ''] = ['../..', '../../..'].map((up) =>
    path.join(__dirname, up, 'rabbitmq/definitions.json'),
  );
  return existsSync(source) ? source : built;
}

/**
 * Definitions that RabbitMQ can load, as text.
 * @param definitionsFile a file with all but the passwords
 * @param passwords a folder with one file for each user, named after the user, with the password in it
 * @throws {FinalError} DEFINITIONS_UNREADABLE, DEFINITIONS_INVALID, PASSWORD_UNREADABLE, PASSWORD_MISSING, PASSWORD_UNUSABLE
 */
export function renderDefinitions(definitionsFile: string, passwords: string): string {
  const definitions = parsed(definitionsFile);
  const rendered = withPasswords(definitions, (user) => passwordIn(passwords, user));
  return `${JSON.stringify(rendered, null, 2)}\n`;
}

function parsed(file: string): BrokerDefinitions {
  const text = orElse('DEFINITIONS_UNREADABLE', `${file} cannot be read`, () => readFileSync(file, 'utf8'));
  const value = orElse('DEFINITIONS_INVALID', `${file} is no JSON`, () => JSON.parse(text) as unknown);
  if (!isDefinitions(value)) throw new FinalError('DEFINITIONS_INVALID', `${file} has no list of users with names`);
  return value;
}

function isDefinitions(value: unknown): value is BrokerDefinitions {
  const { users } = (value ?? {}) as Partial<BrokerDefinitions>;
  return Array.isArray(users) && users.every((user: unknown) => typeof (user as { name?: unknown })?.name === 'string');
}

function passwordIn(folder: string, user: string): string | undefined {
  const file = path.join(folder, user);
  return orElse('PASSWORD_UNREADABLE', `${file} cannot be read`, () => readSecret(file));
}

function orElse<T>(code: string, what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new FinalError(code, `${what}: ${messageOf(cause)}`, { cause });
  }
}
