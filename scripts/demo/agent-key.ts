import { createPublicKey, generateKeyPair } from 'node:crypto';
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { promisify } from 'node:util';
import { writeSecret } from './secret-file';

/** The key pair of an agent of the demo. */
export interface AgentKey {
  /** PKCS#8. */
  privatePem: string;
  /** SPKI. */
  publicPem: string;
}

/** Reads the key kept in `file`, or makes one and keeps it where nobody else can read it. */
export async function keptKey(file: string): Promise<AgentKey> {
  const privatePem = existsSync(file) ? readFileSync(file, 'utf8') : await keep(file);
  return { privatePem, publicPem: createPublicKey(privatePem).export({ type: 'spki', format: 'pem' }).toString() };
}

async function keep(file: string): Promise<string> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  // Under its name only once it is whole: the next start would stumble over half a key.
  writeSecret(`${file}.new`, pem);
  renameSync(`${file}.new`, file);
  return pem;
}
