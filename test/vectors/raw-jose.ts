import {
  constants,
  createCipheriv,
  createDecipheriv,
  createHmac,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
  sign,
  verify,
} from 'node:crypto';

/** Compact JWS and JWE put together and taken apart by hand, on node:crypto alone: a second opinion for the vectors. */
export type Verdict = 'OPENED' | 'DECRYPTION_FAILED' | 'SIGNATURE_VALIDATION_FAILED';

/** `deployed` ignores the binding claims, `prefer` checks those that are there, `require` wants all three. */
export type Mode = 'deployed' | 'prefer' | 'require';

/** The fields of the envelope that a seal may be bound to. */
export interface Binding {
  id: string;
  senderId: string;
  recipientId: string;
}

type Json = Record<string, unknown>;

const encode = (data: string | Buffer): string => Buffer.from(data).toString('base64url');
const decode = (part: string): Buffer => Buffer.from(part, 'base64url');

/** A compact JWS over exactly these texts; `none` leaves the signature empty. */
export function signRaw(header: string, claims: string, key: string): string {
  const input = `${encode(header)}.${encode(claims)}`;
  return `${input}.${encode(signature((JSON.parse(header) as { alg: string }).alg, input, key))}`;
}

function signature(alg: string, input: string, key: string): Buffer {
  const data = Buffer.from(input);
  if (alg === 'none') return Buffer.alloc(0);
  if (alg === 'HS256') return createHmac('sha256', key).update(data).digest();
  if (alg === 'PS256') return sign('sha256', data, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 });
  return sign(alg === 'RS512' ? 'sha512' : 'sha256', data, key);
}

const WRAPPINGS: Record<string, object> = {
  'RSA-OAEP': { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' },
  'RSA-OAEP-256': { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' },
  RSA1_5: { padding: constants.RSA_PKCS1_PADDING },
};

/** A compact JWE with AES-GCM; the header goes in as it is, even where it says what no receiver should accept. */
export function encryptRaw(
  header: { alg: string; enc: string } & Json,
  plaintext: string | Buffer,
  publicPem: string,
): string {
  const aad = encode(JSON.stringify(header));
  const bits = header.enc === 'A128GCM' ? 128 : 256;
  const key = randomBytes(bits / 8);
  const iv = randomBytes(12);
  const cipher = createCipheriv(`aes-${bits}-gcm` as 'aes-256-gcm', key, iv).setAAD(Buffer.from(aad));
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  const wrapped = publicEncrypt({ key: publicPem, ...WRAPPINGS[header.alg] }, key);
  return [aad, ...[wrapped, iv, ciphertext, cipher.getAuthTag()].map(encode)].join('.');
}

/** The JWS inside a JWE of exactly the form the wire knows; throws on anything else. */
export function decryptRaw(jwe: string, privatePem: string): string {
  const parts = jwe.split('.');
  if (parts.length !== 5) throw new Error('not five parts');
  const [header, wrapped, iv, ciphertext, tag] = parts as [string, string, string, string, string];
  const { alg, enc, ...others } = parseObject(decode(header));
  if (alg !== 'RSA-OAEP' || enc !== 'A256GCM' || 'zip' in others || 'crit' in others) throw new Error('header');
  const key = privateDecrypt({ key: privatePem, ...WRAPPINGS[alg] }, decode(wrapped));
  const decipher = createDecipheriv('aes-256-gcm', key, decode(iv), { authTagLength: 16 });
  decipher.setAAD(Buffer.from(header)).setAuthTag(decode(tag));
  return Buffer.concat([decipher.update(decode(ciphertext)), decipher.final()]).toString();
}

/** The claims of an RS256 JWS; throws when the signature is not the sender's. */
export function verifyRaw(jws: string, publicPem: string): Json {
  const [header, claims, mark, ...rest] = jws.split('.');
  if (header === undefined || claims === undefined || mark === undefined || rest.length)
    throw new Error('not three parts');
  const { alg, ...others } = parseObject(decode(header));
  if (alg !== 'RS256' || 'crit' in others) throw new Error('header');
  if (!verify('sha256', Buffer.from(`${header}.${claims}`), publicPem, decode(mark))) throw new Error('signature');
  return parseObject(decode(claims));
}

/** What a receiver must say to this payload, and what it reads. A sender without a key is one it does not know. */
export function judgeSeal(
  jwe: string,
  binding: Binding,
  keys: { privatePem: string; senderPublicPem: string | undefined },
  mode: Mode,
): { verdict: Verdict; data?: unknown } {
  const { privatePem, senderPublicPem } = keys;
  const jws = senderPublicPem && attempt(() => decryptRaw(jwe, privatePem));
  if (!jws) return { verdict: 'DECRYPTION_FAILED' };
  const claims = attempt(() => verifyRaw(jws, senderPublicPem));
  if (!claims || !isBound(claims, binding, mode)) return { verdict: 'SIGNATURE_VALIDATION_FAILED' };
  return { verdict: 'OPENED', data: claims.data };
}

function isBound(claims: Json, binding: Binding, mode: Mode): boolean {
  if (mode === 'deployed') return true;
  const expected = { iss: binding.senderId, aud: binding.recipientId, jti: binding.id };
  return Object.entries(expected).every(
    ([name, value]) => claims[name] === value || (mode === 'prefer' && !(name in claims)),
  );
}

function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    // The verdict is all that leaves this file.
    return undefined;
  }
}

function parseObject(text: Buffer): Json {
  const value: unknown = JSON.parse(text.toString());
  if (typeof value !== 'object' || value === null) throw new Error('not an object');
  return value as Json;
}
