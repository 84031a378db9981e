import { checkPrimeSync, createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import type { AgentKeys } from './keys';

const PRIME_BYTES = 128;
const HASH_BYTES = 32;
const E = 65537n;

/**
 * Derives a 2048-bit RSA key pair from a public text, the same one everywhere; test/vectors/README.md has the recipe.
 * Whoever knows the seed knows the key: good for test vectors and for nothing else.
 */
export function deriveKeys(seed: string): AgentKeys {
  const privateKey = derivePrivateKey(seed);
  return {
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKeyPem: createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString(),
  };
}

function derivePrivateKey(seed: string): KeyObject {
  const p = derivePrime(`${seed}/p`);
  const q = derivePrime(`${seed}/q`);
  const d = inverse(E, (p - 1n) * (q - 1n));
  const [dp, dq, qi] = [d % (p - 1n), d % (q - 1n), inverse(q, p)];
  const numbers = { n: p * q, e: E, d, p, q, dp, dq, qi };
  const members = Object.entries(numbers).map(([name, value]) => [name, toBytes(value).toString('base64url')] as const);
  return createPrivateKey({ key: { kty: 'RSA', ...Object.fromEntries(members) }, format: 'jwk' });
}

/** The first fitting one of the candidates that the stream of the seed yields. */
function derivePrime(seed: string): bigint {
  for (let index = 0; ; index++) {
    const candidate = readStream(seed, index);
    candidate[0]! |= 0xc0;
    candidate[PRIME_BYTES - 1]! |= 0x01;
    if (!checkPrimeSync(candidate)) continue;
    const prime = BigInt(`0x${candidate.toString('hex')}`);
    if ((prime - 1n) % E !== 0n) return prime;
  }
}

/** Candidate number `index`: 128 bytes of SHA-256(seed, counter), four blocks each. */
function readStream(seed: string, index: number): Buffer {
  const perCandidate = PRIME_BYTES / HASH_BYTES;
  const blocks = Array.from({ length: perCandidate }, (_, block) => {
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(index * perCandidate + block);
    return createHash('sha256').update(seed, 'utf8').update(counter).digest();
  });
  return Buffer.concat(blocks);
}

/** The inverse of `value` modulo `modulus`, by Euclid's extended algorithm. */
function inverse(value: bigint, modulus: bigint): bigint {
  let [r0, r1, t0, t1] = [modulus, value % modulus, 0n, 1n];
  while (r1 !== 0n) {
    const quotient = r0 / r1;
    [r0, r1] = [r1, r0 - quotient * r1];
    [t0, t1] = [t1, t0 - quotient * t1];
  }
  return t0 < 0n ? t0 + modulus : t0;
}

function toBytes(value: bigint): Buffer {
  const hex = value.toString(16);
  return Buffer.from(hex.length % 2 ? `0${hex}` : hex, 'hex');
}
