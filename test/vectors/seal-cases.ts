import { deflateRawSync } from 'node:zlib';
import { deriveKeys } from '../helpers/derive-key';
import type { AgentKeys } from '../helpers/keys';
import { type Binding, encryptRaw, type Mode, signRaw, type Verdict } from './raw-jose';

/** A payload and what its reader must make of it. */
export interface SealVector {
  name: string;
  /** Whose private key reads. */
  reader: AgentName;
  envelope: Binding;
  /** Compact JWE; encryption is randomized, so this is one of many. */
  jwe: string;
  /** Makes the payload long: `times` times `A` at the end of the JWE's fourth part, before it is read. */
  lengthenCiphertext?: number;
  /** Texts of the inner JWS and the JWS itself, which is the same on every run; absent where nothing opens. */
  signed?: { by: AgentName; header: string; claims: string; jws: string };
  /** What the reader hands on, once opened. */
  data?: unknown;
  /** By kind of receiver; `deployed` is absent where the deployed agent was not observed. */
  verdict: Record<Exclude<Mode, 'deployed'>, Verdict> & { deployed?: Verdict };
}

export type AgentName = 'alpha' | 'beta' | 'gamma';

export interface SealVectors {
  version: 1;
  agents: Record<AgentName, { id: string; seed: string; publicKey: string }>;
  vectors: SealVector[];
}

const ids = {
  alpha: '3f1a5c1e-6f0e-4c0b-9d0f-0a1b2c3d4e01',
  beta: '7b2d9e44-1c57-4a8e-8f3b-5e6f7a8b9c02',
  gamma: 'd94f3a10-52be-4f6d-a7c8-9b0c1d2e3f03',
};
const envelope: Binding = { id: 'a3bb189e-8bf9-4c3a-9f1d-2e5f6a7b8c9d', senderId: ids.alpha, recipientId: ids.beta };
const otherId = 'b4cc29af-9c0a-4d4b-8a2e-3f607b8c9dae';

const data = {
  chat: { id: '5d0c7b4e-3a2f-4e1d-9c8b-7a6f5e4d3c2b', created: '2026-11-20T10:00:00.000Z' },
  messages: [{ content: 'Tere! Õnne ja „jõudu“ 🙂', authorRole: 'end-user' }],
};
const bound = { data, iss: ids.alpha, aud: ids.beta, jti: envelope.id, iat: 1795168800 };

const WIRE = { alg: 'RSA-OAEP', enc: 'A256GCM' };
const RS256 = '{"alg":"RS256"}';

const seedOf = (name: AgentName): string => `dmr test vectors v1/${name}`;

/** Derives the keys and makes every vector anew; only the randomized parts differ from run to run. */
export function makeSealVectors(): SealVectors {
  const names = Object.keys(ids) as AgentName[];
  const keys = Object.fromEntries(names.map((name) => [name, deriveKeys(seedOf(name))])) as Record<
    AgentName,
    AgentKeys
  >;
  const agents = Object.fromEntries(
    names.map((name) => [name, { id: ids[name], seed: seedOf(name), publicKey: keys[name].publicKeyPem }]),
  ) as SealVectors['agents'];
  const maker = new Maker(keys);
  return {
    version: 1,
    agents,
    vectors: [...opened(maker), ...bindings(maker), ...undecipherable(maker), ...unsigned(maker)],
  };
}

class Maker {
  constructor(readonly keys: Record<AgentName, AgentKeys>) {}

  /** What the named agent signs; alpha, unless another one cheats. */
  sign(claims: unknown, by: AgentName = 'alpha', header = RS256): NonNullable<SealVector['signed']> {
    const text = JSON.stringify(claims);
    return { by, header, claims: text, jws: signRaw(header, text, this.keys[by].privateKeyPem) };
  }

  encrypt(
    plaintext: string | Buffer,
    header: typeof WIRE & Record<string, unknown> = WIRE,
    to: AgentName = 'beta',
  ): string {
    return encryptRaw(header, plaintext, this.keys[to].publicKeyPem);
  }

  /** A seal that at least one kind of receiver opens. */
  seal(name: string, claims: object, verdict: SealVector['verdict'], change: Partial<SealVector> = {}): SealVector {
    const signed = change.signed ?? this.sign(claims);
    const reader = change.reader ?? 'beta';
    return { name, reader, envelope, jwe: this.encrypt(signed.jws, WIRE, reader), signed, data, ...change, verdict };
  }

  /** A seal that nobody opens; `observed` when deployed agents were seen to say the same. */
  refusal(name: string, verdict: Verdict, jwe: string, observed = false, change: Partial<SealVector> = {}): SealVector {
    const verdicts = { ...(observed && { deployed: verdict }), prefer: verdict, require: verdict };
    return { name, reader: 'beta', envelope, jwe, ...change, verdict: verdicts };
  }
}

const everywhere = { deployed: 'OPENED', prefer: 'OPENED', require: 'OPENED' } as const;
const unlessRequired = { ...everywhere, require: 'SIGNATURE_VALIDATION_FAILED' } as const;
const byDeployedOnly = { ...unlessRequired, prefer: 'SIGNATURE_VALIDATION_FAILED' } as const;

function opened(maker: Maker): SealVector[] {
  const header = `{"alg":"RS256","typ":"JWT","kid":"${ids.alpha}"}`;
  return [
    maker.seal('deployed form: data alone', { data }, unlessRequired),
    maker.seal('bound form', bound, everywhere),
    maker.seal('bound form, further members in the inner header', bound, everywhere, {
      signed: maker.sign(bound, 'alpha', header),
    }),
    maker.seal('bound to the id alone', { data, jti: envelope.id }, unlessRequired),
    maker.seal('bound to the recipient alone', { data, aud: ids.beta }, unlessRequired),
    maker.seal('bound to the sender alone', { data, iss: ids.alpha }, unlessRequired),
  ];
}

function bindings(maker: Maker): SealVector[] {
  const toGamma = { reader: 'gamma', envelope: { ...envelope, recipientId: ids.gamma } } as const;
  return [
    maker.seal('replayed under another id', bound, byDeployedOnly, { envelope: { ...envelope, id: otherId } }),
    maker.seal('sealed again by its recipient for a third agent', bound, byDeployedOnly, toGamma),
    maker.seal('issuer is not the sender', { ...bound, iss: ids.gamma }, byDeployedOnly),
    maker.seal('issuer is null', { ...bound, iss: null }, byDeployedOnly),
    maker.seal('one wrong claim among missing ones', { data, jti: otherId }, byDeployedOnly),
  ];
}

function undecipherable(maker: Maker): SealVector[] {
  const { jws } = maker.sign(bound);
  const good = maker.encrypt(jws);
  const refuse = (name: string, jwe: string, observed = false, change?: Partial<SealVector>): SealVector =>
    maker.refusal(name, 'DECRYPTION_FAILED', jwe, observed, change);
  const parts = ['encrypted key', 'initialization vector', 'ciphertext', 'tag'];
  return [
    ...parts.map((part, index) => refuse(`one bit of the ${part} differs`, flip(good, index + 1), true)),
    refuse(
      'header replaced by another text of the same meaning',
      withHeader(good, '{"enc":"A256GCM","alg":"RSA-OAEP"}'),
      true,
    ),
    refuse('tag cut to 12 bytes', good.slice(0, -6)),
    refuse('encrypted for another agent', maker.encrypt(jws, WIRE, 'gamma'), true),
    refuse('enc is A128GCM', maker.encrypt(jws, { ...WIRE, enc: 'A128GCM' })),
    ...['RSA1_5', 'RSA-OAEP-256'].map((alg) => refuse(`alg is ${alg}`, maker.encrypt(jws, { ...WIRE, alg }))),
    refuse('compressed', maker.encrypt(deflateRawSync(jws), { ...WIRE, zip: 'DEF' })),
    refuse('says it is compressed, and is not', maker.encrypt(jws, { ...WIRE, zip: 'DEF' })),
    refuse('a critical header member', maker.encrypt(jws, { ...WIRE, crit: ['exp'], exp: 4102444800 })),
    refuse('two million characters too long', good, false, { lengthenCiphertext: 2_000_000 }),
    refuse('four parts', good.slice(0, good.lastIndexOf('.')), true),
    refuse('six parts', `${good}.AAAA`, true),
    refuse('five empty parts', '....', true),
    refuse('the signed text without encryption', jws, true),
    refuse('no JOSE at all', 'text', true),
  ];
}

function unsigned(maker: Maker): SealVector[] {
  const refuse = (name: string, plaintext: string, observed = false): SealVector =>
    maker.refusal(name, 'SIGNATURE_VALIDATION_FAILED', maker.encrypt(plaintext), observed);
  const { jws } = maker.sign(bound);
  const claims = JSON.stringify(bound);
  const { publicKeyPem, privateKeyPem } = maker.keys.alpha;
  return [
    refuse('signed by another agent', maker.sign(bound, 'gamma').jws, true),
    refuse('one bit of the claims differs', flip(jws, 1), true),
    refuse('one bit of the signature differs', flip(jws, 2), true),
    refuse('signature left out', jws.slice(0, jws.lastIndexOf('.') + 1), true),
    refuse('alg is none', signRaw('{"alg":"none"}', claims, '')),
    refuse('alg is HS256, the secret is the public key', signRaw('{"alg":"HS256"}', claims, publicKeyPem)),
    ...['PS256', 'RS512'].map((alg) => refuse(`alg is ${alg}`, signRaw(`{"alg":"${alg}"}`, claims, privateKeyPem))),
    refuse(
      'a critical header member',
      signRaw('{"alg":"RS256","crit":["exp"],"exp":4102444800}', claims, privateKeyPem),
    ),
    refuse('the claims without a signature', claims),
  ];
}

/** Changes the lowest bit of the middle byte of one part. */
function flip(compact: string, index: number): string {
  const parts = compact.split('.');
  const bytes = Buffer.from(parts[index]!, 'base64url');
  bytes[bytes.length >> 1]! ^= 1;
  return parts.with(index, bytes.toString('base64url')).join('.');
}

function withHeader(compact: string, header: string): string {
  return compact.split('.').with(0, Buffer.from(header).toString('base64url')).join('.');
}
