import { DecryptionError, open, SignatureError } from '../../../lib/crypto/open';
import type { DmrError } from '../../../lib/errors';
import { encryptRaw, signRaw, type Verdict } from '../../vectors/raw-jose';
import { bindingOf, payloadOf, senderOf, testAgents, vectors } from './vectors';

const { alpha, beta } = testAgents;
const WIRE = { alg: 'RSA-OAEP', enc: 'A256GCM' };
const binding = { messageId: 'a3bb189e-8bf9-4c3a-9f1d-2e5f6a7b8c9d', senderId: alpha.id, recipientId: beta.id };
const bound = { iss: alpha.id, aud: beta.id, jti: binding.messageId };

const SECRET = 'Mari Maasikas';

/** Sealed by hand: any text that alpha signed, for beta. */
function sealed(claims: string): string {
  return encryptRaw(WIRE, signRaw('{"alg":"RS256"}', claims, alpha.privateKeyPem), beta.publicKeyPem);
}

const openSealed = (jwe: string, mode: 'prefer' | 'require' = 'prefer') =>
  open(jwe, binding, mode, beta.privateKey, alpha.publicKey);

async function verdictOf(opening: Promise<unknown>): Promise<{ verdict: Verdict; data?: unknown }> {
  try {
    return { verdict: 'OPENED', data: await opening };
  } catch (error) {
    if (!(error instanceof DecryptionError || error instanceof SignatureError)) throw error;
    return { verdict: error.code as Verdict };
  }
}

describe('seals.json', () => {
  const cases = vectors.flatMap((vector) => {
    const sender = senderOf(vector);
    return sender ? (['prefer', 'require'] as const).map((mode) => ({ name: vector.name, mode, vector, sender })) : [];
  });

  it('is checked whole', () => {
    expect(cases.length).toBe(vectors.length * 2);
  });

  it.each(cases)('$mode: $name', async ({ mode, vector, sender }) => {
    const reader = testAgents[vector.reader];
    const opening = open(payloadOf(vector), bindingOf(vector), mode, reader.privateKey, sender.publicKey);
    const { verdict, data } = await verdictOf(opening);
    expect(verdict).toBe(vector.verdict[mode]);
    if (verdict === 'OPENED') expect(data).toEqual(vector.data);
  });
});

describe('open', () => {
  it.each([null, 0, '', 'text', [1], { a: { b: 'õ' } }])('hands on %j as the data', async (data) => {
    await expect(openSealed(sealed(JSON.stringify({ data, ...bound })), 'require')).resolves.toEqual(data);
  });

  it.each([
    ['no data', JSON.stringify(bound)],
    ['a list', '[]'],
    ['null', 'null'],
    ['a text', '"data"'],
    ['no JSON', '{'],
  ])('refuses signed content that is %s', async (_what, claims) => {
    await expect(openSealed(sealed(claims))).rejects.toBeInstanceOf(SignatureError);
  });

  it.each(['iss', 'aud', 'jti'] as const)('require: refuses a seal that lacks %s', async (claim) => {
    const jwe = sealed(JSON.stringify({ data: 1, ...bound, [claim]: undefined }));
    await expect(openSealed(jwe, 'require')).rejects.toThrow(`lacks the claim ${claim}`);
    await expect(openSealed(jwe, 'prefer')).resolves.toBe(1);
  });

  it.each(['iss', 'aud', 'jti'] as const)('refuses a seal whose %s is another one', async (claim) => {
    for (const value of [
      'b4cc29af-9c0a-4d4b-8a2e-3f607b8c9dae',
      null,
      '',
      [bound[claim]],
      bound[claim].toUpperCase(),
    ]) {
      const jwe = sealed(JSON.stringify({ data: 1, ...bound, [claim]: value }));
      await expect(openSealed(jwe, 'prefer')).rejects.toThrow(`The claim ${claim} does not fit`);
      await expect(openSealed(jwe, 'require')).rejects.toBeInstanceOf(SignatureError);
    }
  });

  it('opens a large payload', async () => {
    const data = 'õ'.repeat(60_000);
    await expect(openSealed(sealed(JSON.stringify({ data })))).resolves.toBe(data);
  });

  it('lets the event loop turn while many seals that came at once are opened', async () => {
    const jwe = sealed(JSON.stringify({ data: 1 }));
    let turns = 0;
    let opened = 0;
    const tick = () => {
      turns++;
      if (opened < 200) setImmediate(tick);
    };
    setImmediate(tick);
    await Promise.all(Array.from({ length: 200 }, async () => openSealed(jwe).then(() => opened++)));
    expect(turns).toBeGreaterThan(2);
  });

  it('says nothing of the content in its errors', async () => {
    // What JSON.parse says of the first quotes it.
    const claims = [SECRET, `{"data": "${SECRET}"`, JSON.stringify({ data: SECRET, ...bound, jti: SECRET })];
    for (const text of claims) {
      const error = (await openSealed(sealed(text)).catch((thrown: unknown) => thrown)) as DmrError;
      expect(error).toMatchObject({ code: 'SIGNATURE_VALIDATION_FAILED', retryable: false });
      expect(`${error.stack} ${String(error.cause)}`).not.toContain(SECRET);
    }
  });
});
