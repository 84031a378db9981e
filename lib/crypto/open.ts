import type { KeyObject } from 'node:crypto';
import { compactDecrypt, compactVerify } from 'jose';
import { FinalError } from '../errors';
import type { Binding } from './seal';

/** The seal cannot be opened with this agent's key. */
export class DecryptionError extends FinalError {
  constructor(cause?: unknown) {
    super('DECRYPTION_FAILED', 'The message cannot be decrypted with the key of this agent', { cause });
  }
}

/** The seal opens, but the sender's signature or its binding to the envelope does not hold. */
export class SignatureError extends FinalError {
  constructor(why: string, cause?: unknown) {
    super('SIGNATURE_VALIDATION_FAILED', why, { cause });
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Opens a sealed payload: decrypts with the recipient's key, verifies with the sender's, checks the claims that bind it
 * to its envelope whenever they are there (`require`: they must be). Of several keys the first that fits counts, so the
 * likeliest comes first. Returns the payload.
 * Throws DecryptionError or SignatureError; neither carries a word of the content.
 */
export async function open(
  sealed: string,
  binding: Binding,
  mode: 'prefer' | 'require',
  recipientKeys: KeyObject | readonly KeyObject[],
  senderKeys: KeyObject | readonly KeyObject[],
): Promise<unknown> {
  const jws = await withFirst(recipientKeys, (key) => decrypt(sealed, key));
  const claims = await withFirst(senderKeys, (key) => verify(jws, key));
  checkBinding(claims, binding, mode);
  if (!('data' in claims)) throw new SignatureError('The signed content holds no data');
  return claims.data;
}

/** What the first key says that does not fail; the failure of the first when all do: it is the current one. */
async function withFirst<T>(keys: KeyObject | readonly KeyObject[], use: (key: KeyObject) => Promise<T>): Promise<T> {
  const [first, ...others] = [keys].flat();
  if (!first) throw new TypeError('no key');
  try {
    return await use(first);
  } catch (error) {
    for (const key of others) {
      const result = await use(key).catch(() => undefined); // the first failure is the one to tell
      if (result !== undefined) return result;
    }
    throw error;
  }
}

async function decrypt(sealed: string, key: KeyObject): Promise<string> {
  try {
    const { plaintext } = await compactDecrypt(sealed, key, {
      keyManagementAlgorithms: ['RSA-OAEP'],
      contentEncryptionAlgorithms: ['A256GCM'],
      // Compression before encryption is not part of the contract, and a small message could unfold without bound.
      maxDecompressedLength: 0,
    });
    return decoder.decode(plaintext);
  } catch (cause) {
    throw new DecryptionError(cause);
  }
}

async function verify(jws: string, key: KeyObject): Promise<Record<string, unknown>> {
  let claims: unknown;
  try {
    const { payload } = await compactVerify(jws, key, { algorithms: ['RS256'] });
    claims = JSON.parse(decoder.decode(payload));
  } catch (cause) {
    throw new SignatureError("The signature does not fit the sender's key", cause);
  }
  if (typeof claims !== 'object' || claims === null) throw new SignatureError('The signed content is not an object');
  return claims as Record<string, unknown>;
}

function checkBinding(claims: Record<string, unknown>, binding: Binding, mode: 'prefer' | 'require'): void {
  const expected = { iss: binding.senderId, aud: binding.recipientId, jti: binding.messageId };
  for (const [claim, value] of Object.entries(expected)) {
    const missing = claims[claim] === undefined;
    if (missing && mode === 'require') throw new SignatureError(`The signed content lacks the claim ${claim}`);
    if (!missing && claims[claim] !== value) {
      throw new SignatureError(`The claim ${claim} does not fit the envelope: the seal was made for another message`);
    }
  }
}
