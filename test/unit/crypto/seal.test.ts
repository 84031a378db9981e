import { compactDecrypt, compactVerify, decodeProtectedHeader } from 'jose';
import { open } from '../../../lib/crypto/open';
import { seal } from '../../../lib/crypto/seal';
import { openDeployed } from '../../helpers/deployed-agent';
import { decryptRaw, judgeSeal, verifyRaw } from '../../vectors/raw-jose';
import { testAgents, vectors } from './vectors';

const { alpha, beta, gamma } = testAgents;
const id = 'a3bb189e-8bf9-4c3a-9f1d-2e5f6a7b8c9d';
const binding = { messageId: id, senderId: alpha.id, recipientId: beta.id };
const payloads = [vectors[0]!.data, {}, { chat: {}, messages: [] }, { text: 'x'.repeat(100_000) }];

const sealForBeta = (payload: unknown) => seal(payload, binding, alpha.privateKey, beta.publicKey);

describe('seal', () => {
  it.each(payloads)('is opened by code of another hand (%#)', async (payload) => {
    const jwe = await sealForBeta(payload);
    const keys = { privatePem: beta.privateKeyPem, senderPublicPem: alpha.publicKeyPem };
    for (const mode of ['deployed', 'prefer', 'require'] as const) {
      expect(judgeSeal(jwe, { id, ...binding }, keys, mode)).toEqual({ verdict: 'OPENED', data: payload });
    }
  });

  it.each(payloads)('is opened by a deployed agent (%#)', async (payload) => {
    const opening = openDeployed(await sealForBeta(payload), beta.privateKeyPem, alpha.publicKeyPem);
    await expect(opening).resolves.toEqual(payload);
  });

  it.each(payloads)('is opened by our own agent, whatever it demands (%#)', async (payload) => {
    const jwe = await sealForBeta(payload);
    for (const mode of ['prefer', 'require'] as const) {
      await expect(open(jwe, binding, mode, beta.privateKey, alpha.publicKey)).resolves.toEqual(payload);
    }
  });

  it('has the two headers of the wire contract and nothing in them beside', async () => {
    const jwe = await sealForBeta({ a: 1 });
    expect(decodeProtectedHeader(jwe)).toEqual({ alg: 'RSA-OAEP', enc: 'A256GCM' });
    const { plaintext } = await compactDecrypt(jwe, beta.privateKey);
    const { protectedHeader } = await compactVerify(new TextDecoder().decode(plaintext), alpha.publicKey);
    expect(protectedHeader).toEqual({ alg: 'RS256' });
  });

  it('signs the data together with what binds it to its envelope', async () => {
    const before = Math.floor(Date.now() / 1000);
    const claims = verifyRaw(decryptRaw(await sealForBeta({ a: 'õ' }), beta.privateKeyPem), alpha.publicKeyPem);
    const { iat, ...rest } = claims;
    expect(rest).toEqual({ data: { a: 'õ' }, iss: alpha.id, aud: beta.id, jti: id });
    expect(iat).toBeGreaterThanOrEqual(before);
    expect(iat).toBeLessThanOrEqual(Date.now() / 1000);
  });

  it('never looks the same twice', async () => {
    expect(await sealForBeta({})).not.toBe(await sealForBeta({}));
  });

  it('is closed to everybody else', async () => {
    const opening = open(await sealForBeta({}), binding, 'prefer', gamma.privateKey, alpha.publicKey);
    await expect(opening).rejects.toMatchObject({ code: 'DECRYPTION_FAILED' });
  });

  it('is not taken for the word of another sender', async () => {
    const opening = open(await sealForBeta({}), binding, 'prefer', beta.privateKey, gamma.publicKey);
    await expect(opening).rejects.toMatchObject({ code: 'SIGNATURE_VALIDATION_FAILED' });
  });
});
