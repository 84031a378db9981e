import { createPublicKey, generateKeyPair, randomUUID } from 'node:crypto';
import { existsSync, readFileSync, renameSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { writeSecret } from './secret-file';

/** Who an agent of the demo is. */
export interface Identity {
  id: string;
  /** PKCS#8. */
  privateKeyPem: string;
  /** SPKI. */
  publicKeyPem: string;
}

type Kept = Omit<Identity, 'publicKeyPem'>;

/** Reads the identity kept in `file`, or makes up one and keeps it where nobody else can read it. */
export async function keptIdentity(file: string): Promise<Identity> {
  const kept = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Kept) : await keep(file);
  const publicKeyPem = createPublicKey(kept.privateKeyPem).export({ type: 'spki', format: 'pem' }).toString();
  return { ...kept, publicKeyPem };
}

async function keep(file: string): Promise<Kept> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  const privateKeyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const identity = { id: randomUUID(), privateKeyPem };
  // Under its name only once it is whole: the next start would stumble over half a key.
  const unfinished = path.join(path.dirname(file), `.${path.basename(file)}`);
  writeSecret(unfinished, JSON.stringify(identity, null, 2));
  renameSync(unfinished, file);
  return identity;
}
