import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import NodeRSA from 'node-rsa';
import { pemLines } from './pem';
import { importPrivateKey, MIN_BITS } from './keys';

/** The lengths that a new key may have, bits: from the shortest that is accepted on. */
export const KEY_BITS: readonly number[] = [MIN_BITS, 3072, 4096];

/** A key pair in the forms in which it is handed on. */
export interface KeyPair {
  /** PKCS#8 PEM with real line breaks. */
  privateKeyPem: string;
  /** SPKI PEM with real line breaks. */
  publicKeyPem: string;
}

/** Makes a new RSA key pair with the exponent 65537, in some tenths of a second to seconds of the main thread. */
export function makeKeyPair(bits: number): KeyPair {
  const privateKeyPem = pemLines(new NodeRSA({ b: bits }).exportKey('pkcs8-private-pem'));
  return { privateKeyPem, publicKeyPem: publicPemOf(importPrivateKey(privateKeyPem)) };
}

/** The public key of a private or public one, as CentOps lists it: SPKI PEM. */
export function publicPemOf(key: KeyObject): string {
  return pemLines(publicOf(key).export({ type: 'spki', format: 'pem' }).toString());
}

/** What two people compare to see that they mean the same key: SHA-256 of the SPKI form (DER), base64. */
export function fingerprintOf(key: KeyObject): string {
  const der = publicOf(key).export({ type: 'spki', format: 'der' });
  return `SHA256:${createHash('sha256').update(der).digest('base64')}`;
}

function publicOf(key: KeyObject): KeyObject {
  return key.type === 'private' ? createPublicKey(key) : key;
}
