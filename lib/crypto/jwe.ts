import {
  createCipheriv,
  createDecipheriv,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';
import { asciiBytes, checkHeader, CompactError, decodeParts } from './compact';
import { strongEnough } from './keys';

const WANTED = { alg: 'RSA-OAEP', enc: 'A256GCM' };
const HEADER = Buffer.from(JSON.stringify(WANTED)).toString('base64url');

/** AES GCM with a key of 256 bits, an initialization vector of 96 and a tag of 128 (RFC 7518, 5.3). */
const CIPHER = 'aes-256-gcm';
const [KEY_BYTES, IV_BYTES, TAG_BYTES] = [32, 12, 16];
/** Without it Node.js takes tags as short as 4 bytes. */
const FULL_TAG = { authTagLength: TAG_BYTES };

/**
 * A compact JWE of a text, RSA-OAEP and A256GCM and nothing else in its header (RFC 7516, 5.1 and 7.1). Throws when the
 * key is not RSA of at least 2048 bits.
 */
export function encryptCompact(text: string, key: KeyObject): string {
  const random = randomBytes(KEY_BYTES + IV_BYTES);
  const [contentKey, iv] = [random.subarray(0, KEY_BYTES), random.subarray(KEY_BYTES)];
  const wrapped = publicEncrypt(strongEnough(key), contentKey); // OAEP with SHA-1 (RFC 7518, 4.3) unless told otherwise
  const cipher = createCipheriv(CIPHER, contentKey, iv, FULL_TAG).setAAD(asciiBytes(HEADER));
  const ciphertext = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  const parts = [wrapped, iv, ciphertext, cipher.getAuthTag()];
  return `${HEADER}.${parts.map((part) => part.toString('base64url')).join('.')}`;
}

/**
 * The plaintext of a compact JWE for the owner of the key, RSA-OAEP and A256GCM alone (RFC 7516, 5.2). Blocks for a
 * private operation. Throws an Error without a word of the content.
 */
export function decryptCompact(jwe: string, key: KeyObject): Buffer {
  const [header, wrapped, iv, ciphertext, tag] = decodeParts(jwe, 5) as [Buffer, Buffer, Buffer, Buffer, Buffer];
  checkHeader(header, WANTED);
  if (iv.length !== IV_BYTES) throw new CompactError('another length of the initialization vector');
  if (tag.length !== TAG_BYTES) throw new CompactError('another length of the tag');
  const decipher = createDecipheriv(CIPHER, contentKeyOf(wrapped, strongEnough(key)), iv, FULL_TAG);
  // What is authenticated is the header as it was written (5.2, step 15).
  decipher.setAAD(asciiBytes(jwe.slice(0, jwe.indexOf('.')))).setAuthTag(tag);
  const plaintext = decipher.update(ciphertext);
  return Buffer.concat([plaintext, decipher.final()]); // `final` throws unless the tag fits
}

/**
 * The key of the content. One that does not come out is replaced by a random one, so that a wrong key, padding or length
 * ends as a wrong tag does and nobody can ask the difference (RFC 7516, 11.5).
 */
function contentKeyOf(wrapped: Buffer, key: KeyObject): Buffer {
  // OpenSSL takes fewer bytes as well, and then a key with leading zeros has two spellings (RFC 8017, 7.1.2, step 1).
  const { modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  if (wrapped.length !== Math.ceil(modulusLength / 8)) return randomBytes(KEY_BYTES);
  try {
    const contentKey = privateDecrypt(key, wrapped); // as in `encryptCompact`
    if (contentKey.length === KEY_BYTES) return contentKey;
  } catch {
    // told by the tag
  }
  return randomBytes(KEY_BYTES);
}
