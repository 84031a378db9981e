import { KeyObject } from 'node:crypto';
import { FinalError } from '../errors';
import { parseJson, textOf } from './compact';
import { decryptCompact } from './jwe';
import { verifyCompact } from './jws';
import type { Binding } from './seal';
import { slices } from './slices';

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
  return slices.run(() => openNow(sealed, binding, mode, listOf(recipientKeys), listOf(senderKeys)));
}

function listOf(keys: KeyObject | readonly KeyObject[]): readonly KeyObject[] {
  return keys instanceof KeyObject ? [keys] : keys;
}

function openNow(
  sealed: string,
  binding: Binding,
  mode: 'prefer' | 'require',
  recipientKeys: readonly KeyObject[],
  senderKeys: readonly KeyObject[],
): unknown {
  const jws = withFirst(recipientKeys, (key) => decrypt(sealed, key));
  const claims = withFirst(senderKeys, (key) => verify(jws, key));
  checkBinding(claims, binding, mode);
  if (!('data' in claims)) throw new SignatureError('The signed content holds no data');
  return claims.data;
}

/** What the first key says that does not fail; the failure of the first when all do: it is the current one. */
function withFirst<T>(keys: readonly KeyObject[], use: (key: KeyObject) => T): T {
  let failure: Error | undefined;
  for (const key of keys) {
    try {
      return use(key);
    } catch (error) {
      failure ??= error as Error;
    }
  }
  throw failure ?? new TypeError('no key');
}

function decrypt(sealed: string, key: KeyObject): string {
  try {
    return textOf(decryptCompact(sealed, key));
  } catch (cause) {
    throw new DecryptionError(cause);
  }
}

function verify(jws: string, key: KeyObject): Record<string, unknown> {
  let claims: unknown;
  try {
    claims = parseJson(verifyCompact(jws, key), 'the content');
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
