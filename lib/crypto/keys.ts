import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import NodeRSA from 'node-rsa';
import { FinalError } from '../errors';

/** The shortest RSA key that is accepted anywhere, bits (RFC 7518, 3.3 and 4.3). */
export const MIN_BITS = 2048;

/** PEM text often travels through environment variables and JSON with its line breaks written as `\n`. */
export function normalizePem(pem: string): string {
  return pem.replaceAll('\\r', '').replaceAll('\\n', '\n').trim();
}

/**
 * An RSA private key from PKCS#8 or PKCS#1 PEM, as the KeyObject that all operations share.
 * Throws FinalError KEY_INVALID without a word of the key.
 */
export function importPrivateKey(pem: string): KeyObject {
  try {
    const key = new NodeRSA(normalizePem(pem));
    if (!key.isPrivate()) throw new Error('not a private key');
    return strongEnough(createPrivateKey(key.exportKey('pkcs8-private-pem')));
  } catch (cause) {
    throw invalid('private', cause);
  }
}

/**
 * An RSA public key from SPKI PEM, PKCS#1 PEM or an X.509 certificate.
 * Throws FinalError KEY_INVALID.
 */
export function importPublicKey(pem: string): KeyObject {
  const text = normalizePem(pem);
  try {
    // A private key would import too and quietly yield its public half; whoever lists one must hear of it.
    if (text.includes('PRIVATE KEY')) throw new Error('a private key where a public one belongs');
    if (text.includes('BEGIN CERTIFICATE')) return strongEnough(createPublicKey(text));
    return strongEnough(createPublicKey(new NodeRSA(text).exportKey('pkcs8-public-pem')));
  } catch (cause) {
    throw invalid('public', cause);
  }
}

/** The key, if it is RSA of at least 2048 bits as RS256 and RSA-OAEP want it (RFC 7518, 3.3 and 4.3); throws an Error if not. */
export function strongEnough(key: KeyObject): KeyObject {
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (key.asymmetricKeyType !== 'rsa' || bits < MIN_BITS) throw new Error(`wants RSA of at least ${MIN_BITS} bits`);
  return key;
}

function invalid(kind: 'private' | 'public', cause: unknown): FinalError {
  const why = cause instanceof Error && cause.message.startsWith('wants') ? `: ${cause.message}` : '';
  return new FinalError('KEY_INVALID', `The ${kind} key is not a usable RSA key in PEM form${why}`);
}
