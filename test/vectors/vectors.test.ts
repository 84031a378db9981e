import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openDeployed, sealDeployed } from '../helpers/deployed-agent';
import { judgeEnvelope } from '../helpers/deployed-server';
import { deriveKeys } from '../helpers/derive-key';
import type { AgentKeys } from '../helpers/keys';
import { type EnvelopeVectors, envelopeVectors } from './envelope-cases';
import { decryptRaw, encryptRaw, judgeSeal, type Mode, signRaw, verifyRaw } from './raw-jose';
import { type AgentName, makeSealVectors, type SealVector, type SealVectors } from './seal-cases';

const readVectors = (name: string): unknown => JSON.parse(readFileSync(join(__dirname, `${name}.json`), 'utf8'));
const envelopes = readVectors('envelope') as EnvelopeVectors;
const seals = readVectors('seals') as SealVectors;
const known = new Set(envelopes.known.map(({ id }) => id));

const keys = Object.fromEntries(
  Object.entries(seals.agents).map(([name, { seed }]) => [name, deriveKeys(seed)]),
) as Record<AgentName, AgentKeys>;

/** The payload of a vector, at its full length. */
function payloadOf({ jwe, lengthenCiphertext = 0 }: SealVector): string {
  const parts = jwe.split('.');
  return lengthenCiphertext ? parts.with(3, parts[3] + 'A'.repeat(lengthenCiphertext)).join('.') : jwe;
}

/** The public key of the envelope's sender, if anybody has that id. */
function senderKeyOf({ envelope }: SealVector): string | undefined {
  return Object.values(seals.agents).find(({ id }) => id === envelope.senderId)?.publicKey;
}

describe('envelope.json', () => {
  it('is what its source makes', () => {
    expect(envelopes).toEqual(JSON.parse(JSON.stringify(envelopeVectors)));
  });

  it('names every vector once', () => {
    expect(new Set(envelopes.vectors.map(({ name }) => name)).size).toBe(envelopes.vectors.length);
  });

  it.each(envelopes.vectors.map((vector) => [vector.name, vector] as const))('%s', (_name, vector) => {
    const refusal = judgeEnvelope(vector.message, known);
    if (vector.ack.status === 'ok' || vector.acceptedByDeployedServer) expect(refusal).toBeUndefined();
    else expect(refusal).toEqual({ ackError: vector.ack.error, errorTypes: vector.errorTypes });
  });
});

describe('the keys of seals.json', () => {
  it.each(Object.entries(seals.agents))('%s follows from its seed', (name, { publicKey }) => {
    expect(keys[name as AgentName].publicKeyPem).toBe(publicKey);
  });

  it('are committed as public keys only', () => {
    for (const name of readdirSync(__dirname)) {
      const text = readFileSync(join(__dirname, name), 'utf8');
      expect(text).not.toMatch(new RegExp('BEGIN [A-Z ]*PRIVATE' + ' KEY'));
      expect(text).not.toMatch(new RegExp('"(d|dp|dq|qi)"' + ':'));
    }
  });
});

describe('seals.json', () => {
  it('is what its source makes, ciphertexts aside', () => {
    const fixed = ({ vectors, ...rest }: SealVectors) => ({
      ...rest,
      vectors: vectors.map((v) => ({ ...v, jwe: '' })),
    });
    expect(fixed(seals)).toEqual(JSON.parse(JSON.stringify(fixed(makeSealVectors()))));
  });

  it.each(seals.vectors.flatMap((vector) => (vector.signed ? [[vector.name, vector] as const] : [])))(
    'the signed text is exact: %s',
    (_name, { reader, jwe, signed, data }) => {
      const { by, header, claims, jws } = signed!;
      expect(signRaw(header, claims, keys[by].privateKeyPem)).toBe(jws);
      expect(verifyRaw(jws, seals.agents[by].publicKey)).toMatchObject({ data });
      expect(decryptRaw(jwe, keys[reader].privateKeyPem)).toBe(jws);
    },
  );

  const modes = seals.vectors.flatMap((vector) =>
    (Object.keys(vector.verdict) as Mode[]).map((mode) => [mode, vector.name, vector] as const),
  );

  it.each(modes)('by hand, %s: %s', (mode, _name, vector) => {
    const { privateKeyPem: privatePem } = keys[vector.reader];
    const result = judgeSeal(
      payloadOf(vector),
      vector.envelope,
      { privatePem, senderPublicPem: senderKeyOf(vector) },
      mode,
    );
    expect(result.verdict).toBe(vector.verdict[mode]);
    if (result.verdict === 'OPENED') expect(result.data).toEqual(vector.data);
  });

  it.each(modes.filter(([mode, , vector]) => mode === 'deployed' && senderKeyOf(vector)))(
    'with jose, %s: %s',
    async (_mode, _name, vector) => {
      const opening = openDeployed(payloadOf(vector), keys[vector.reader].privateKeyPem, senderKeyOf(vector)!);
      if (vector.verdict.deployed === 'OPENED') await expect(opening).resolves.toEqual(vector.data);
      else await expect(opening).rejects.toMatchObject({ type: vector.verdict.deployed });
    },
  );

  it.each(
    seals.vectors
      .filter(({ verdict }) => verdict.deployed === undefined)
      .map((vector) => [vector.name, vector] as const),
  )('with jose, told which algorithms: %s', async (_name, vector) => {
    const opening = openDeployed(payloadOf(vector), keys.beta.privateKeyPem, seals.agents.alpha.publicKey);
    await expect(opening).rejects.toMatchObject({ type: vector.verdict.prefer });
  });
});

describe('two implementations', () => {
  const payload = { messages: [{ content: 'õ' }] };

  it('one seals with jose, the other opens by hand', async () => {
    const jwe = await sealDeployed(payload, keys.alpha.privateKeyPem, keys.beta.publicKeyPem);
    expect(verifyRaw(decryptRaw(jwe, keys.beta.privateKeyPem), keys.alpha.publicKeyPem)).toEqual({ data: payload });
  });

  it('one seals by hand, the other opens with jose', async () => {
    const jws = signRaw('{"alg":"RS256"}', JSON.stringify({ data: payload }), keys.alpha.privateKeyPem);
    const jwe = encryptRaw({ alg: 'RSA-OAEP', enc: 'A256GCM' }, jws, keys.beta.publicKeyPem);
    await expect(openDeployed(jwe, keys.beta.privateKeyPem, keys.alpha.publicKeyPem)).resolves.toEqual(payload);
  });

  it('sign the deployed form to the same bytes', async () => {
    const vector = seals.vectors.find(({ name }) => name === 'deployed form: data alone')!;
    const jwe = await sealDeployed(vector.data, keys.alpha.privateKeyPem, keys.beta.publicKeyPem);
    expect(decryptRaw(jwe, keys.beta.privateKeyPem)).toBe(vector.signed?.jws);
  });
});
