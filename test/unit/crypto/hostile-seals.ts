import { constants, createCipheriv, type KeyObject, publicEncrypt, randomBytes, sign } from 'node:crypto';

/** Makers of seals that differ from the wire's form in one place each. */
export interface JweChange {
  header?: string | Buffer;
  contentKey?: Buffer;
  iv?: Buffer;
  tagBytes?: number;
  wrap?: { padding: number; oaepHash?: string };
}

const base64url = (data: string | Buffer): string => Buffer.from(data).toString('base64url');

/** A compact JWE whose tag fits, of whichever header, content key, initialization vector and tag it is given. */
export function jweWith(change: JweChange, plaintext: string, publicKey: KeyObject): string {
  const { contentKey = randomBytes(32), iv = randomBytes(12), tagBytes = 16 } = change;
  const header = base64url(change.header ?? '{"alg":"RSA-OAEP","enc":"A256GCM"}');
  const wrap = change.wrap ?? { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' };
  const usable = contentKey.length < 16 ? randomBytes(32) : contentKey.subarray(0, 32);
  const name = `aes-${usable.length * 8}-gcm` as 'aes-256-gcm';
  const cipher = createCipheriv(name, usable, iv, { authTagLength: tagBytes }).setAAD(Buffer.from(header));
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  const wrapped = publicEncrypt({ key: publicKey, ...wrap }, contentKey);
  return [header, ...[wrapped, iv, ciphertext, cipher.getAuthTag()].map(base64url)].join('.');
}

/** A compact JWS over exactly this header, signed by RS256 whatever the header says. */
export function jwsWith(header: string | Buffer, claims: string, privateKey: KeyObject): string {
  const input = `${base64url(header)}.${base64url(claims)}`;
  return `${input}.${base64url(sign('sha256', Buffer.from(input), privateKey))}`;
}

/** The compact text with one part put through `change`. */
export function withPart(compact: string, index: number, change: (part: string) => string): string {
  const parts = compact.split('.');
  return parts.with(index, change(parts[index] as string)).join('.');
}

/** The compact text with the bytes of one part put through `change`. */
export function withBytes(compact: string, index: number, change: (bytes: Buffer) => Buffer): string {
  return withPart(compact, index, (part) => base64url(change(Buffer.from(part, 'base64url'))));
}

/** The same bytes in another spelling: an unused bit of the last character is set; undefined when there is none. */
export function respelt(part: string): string | undefined {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const last = alphabet[alphabet.indexOf(part.at(-1) as string) | 1] as string;
  const other = part.slice(0, -1) + last;
  return other !== part && Buffer.from(other, 'base64url').equals(Buffer.from(part, 'base64url')) ? other : undefined;
}
