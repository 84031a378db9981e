import { createHash, randomBytes } from 'node:crypto';
import { FinalError } from '../errors';

/** A user as RabbitMQ's definitions have it. */
export interface BrokerUser {
  name: string;
  tags: string[];
  password_hash?: string;
  hashing_algorithm?: string;
}

/** What RabbitMQ loads at its start (RabbitMQ, "Schema Definition Export and Import"); only the users matter here. */
export interface BrokerDefinitions {
  users: BrokerUser[];
  [part: string]: unknown;
}

const SALT_BYTES = 4;

/**
 * The hash by which RabbitMQ knows a password: base64 of a salt and of the SHA-256 of salt and password (RabbitMQ,
 * "Credentials and Passwords").
 * @param salt of 4 bytes; a fresh one unless given
 */
export function passwordHash(password: string, salt: Buffer = randomBytes(SALT_BYTES)): string {
  const digest = createHash('sha256').update(salt).update(password, 'utf8').digest();
  return Buffer.concat([salt, digest]).toString('base64');
}

/**
 * The definitions with the hash of every user's password.
 * @param passwordOf the password of a user; undefined where there is none
 * @throws {FinalError} PASSWORD_MISSING, PASSWORD_UNUSABLE: RabbitMQ would take either, and the user could never log in
 */
export function withPasswords(
  definitions: BrokerDefinitions,
  passwordOf: (user: string) => string | undefined,
): BrokerDefinitions {
  const users = definitions.users.map((user) => {
    const password = passwordOf(user.name);
    if (!password)
      throw new FinalError(
        'PASSWORD_MISSING',
        `there is no password for RabbitMQ's user ${user.name}: put it into a file of that name`,
      );
    if (password.includes('\0'))
      throw new FinalError(
        'PASSWORD_UNUSABLE',
        `the password of RabbitMQ's user ${user.name} has a zero byte: make one of text`,
      );
    return { ...user, password_hash: passwordHash(password), hashing_algorithm: 'rabbit_password_hashing_sha256' };
  });
  return { ...definitions, users };
}
