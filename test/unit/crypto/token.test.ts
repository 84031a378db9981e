import { createPrivateKey, createPublicKey } from 'node:crypto';
import { importSPKI, jwtVerify } from 'jose';
import { makeToken, TokenError, verifyToken } from '../../../lib/crypto/token';
import { makeDeployedToken } from '../../helpers/deployed-agent';
import { makeIdentity } from '../../helpers/keys';
import { signRaw } from '../../vectors/raw-jose';

const DAY_MS = 86_400_000;

const alpha = makeIdentity('alpha');
const beta = makeIdentity('beta');
const key = createPrivateKey(alpha.privateKeyPem);
const publicKeys = new Map([alpha, beta].map(({ id, publicKeyPem }) => [id, createPublicKey(publicKeyPem)]));

const seconds = (ms = Date.now()): number => Math.floor(ms / 1000);
const verify = (token: unknown, maxAgeMs = DAY_MS) => verifyToken(token, (id) => publicKeys.get(id), maxAgeMs);

const claims = (change: object = {}) => ({ sub: alpha.id, iat: seconds(), exp: seconds() + 60, ...change });
const header = (change: object = {}) => ({ alg: 'RS256', kid: alpha.id, ...change });

/** A token of alpha's, put together by hand. */
function forge(change: object = {}, headerChange: object = {}, signer = alpha.privateKeyPem): string {
  return signRaw(JSON.stringify(header(headerChange)), JSON.stringify(claims(change)), signer);
}

async function refusal(token: unknown, maxAgeMs?: number): Promise<string> {
  const error: unknown = await verify(token, maxAgeMs).catch((thrown: unknown) => thrown);
  if (!(error instanceof TokenError)) throw new Error(`not refused: ${String(error)}`);
  expect(error).toMatchObject({ code: 'TOKEN_REFUSED', retryable: false });
  // It is sent to whoever asked, and logged: no part of the token may stand in it.
  const parts = typeof token === 'string' ? token.split('.').filter((part) => part.length > 20) : [];
  for (const part of parts) expect(error.message).not.toContain(part);
  return error.message;
}

describe('makeToken', () => {
  it('says what the wire contract says and nothing more', async () => {
    const before = Date.now();
    const { payload, protectedHeader } = await jwtVerify(
      await makeToken(alpha.id, key),
      await importSPKI(alpha.publicKeyPem, 'RS256'),
    );
    const iat = payload.iat!;
    expect(protectedHeader).toEqual({ alg: 'RS256', kid: alpha.id });
    expect(payload).toEqual({ sub: alpha.id, iat, exp: iat + 60, cat: payload.cat });
    expect(payload.cat).toBeGreaterThanOrEqual(before);
    expect(payload.cat).toBeLessThanOrEqual(Date.now());
    expect(iat).toBe(seconds(payload.cat as number));
  });

  it('is accepted', async () => {
    await expect(verify(await makeToken(alpha.id, key), 60_000)).resolves.toBe(alpha.id);
  });

  it('is another one for each attempt to connect', async () => {
    const now = jest.spyOn(Date, 'now');
    now.mockReturnValueOnce(1_800_000_000_000).mockReturnValueOnce(1_800_000_000_001);
    expect(await makeToken(alpha.id, key)).not.toBe(await makeToken(alpha.id, key));
    now.mockRestore();
  });
});

describe('verifyToken', () => {
  it('takes a token made by hand', async () => {
    await expect(verify(forge())).resolves.toBe(alpha.id);
  });

  it('takes the token of a deployed agent, past its exp, until the age that is set', async () => {
    const token = await makeDeployedToken(alpha, seconds() - 3600);
    await expect(verify(token, 3_700_000)).resolves.toBe(alpha.id);
    await expect(refusal(token, 3_500_000)).resolves.toContain('too old');
  });

  it('measures the age from iat, to the millisecond', async () => {
    const token = forge({ iat: 1_800_000_000 });
    const now = jest.spyOn(Date, 'now').mockReturnValue(1_800_000_060_000);
    await expect(verify(token, 60_000)).resolves.toBe(alpha.id);
    now.mockReturnValue(1_800_000_060_001);
    await expect(refusal(token, 60_000)).resolves.toContain('too old');
    now.mockRestore();
  });

  it('lets a clock run ahead for a minute and no longer', async () => {
    const now = jest.spyOn(Date, 'now').mockReturnValue(1_800_000_000_000);
    await expect(verify(forge({ iat: 1_800_000_060 }))).resolves.toBe(alpha.id);
    await expect(refusal(forge({ iat: 1_800_000_061 }))).resolves.toContain('in the future');
    now.mockRestore();
  });

  it.each([
    ['none', undefined],
    ['null', null],
    ['an empty text', ''],
    ['a number', 7],
    ['an object', { token: 'x' }],
    ['a list with a token', [forge()]],
  ])('refuses %s', async (_what, token) => {
    await expect(refusal(token)).resolves.toContain('there is none');
  });

  it.each([
    ['a word', 'token', 'not a JWT'],
    ['two dots', '..', 'not a JWT'],
    ['a header that is no JSON', `${Buffer.from('{').toString('base64url')}.e30.AA`, 'not a JWT'],
    ['no kid', forge({}, { kid: undefined }), "no 'kid'"],
    ['an empty kid', forge({}, { kid: '' }), "no 'kid'"],
    ['a kid that is a number', forge({}, { kid: 1 }), "no 'kid'"],
    ['an agent nobody lists', forge({}, { kid: makeIdentity('x').id }), 'not listed'],
    ['a sub that is missing', forge({ sub: undefined }), "'sub'"],
    ['a sub of another agent', forge({ sub: beta.id }), "'sub'"],
    ['no iat', forge({ iat: undefined }), "'iat' is missing"],
    ['an iat that is a text', forge({ iat: String(seconds()) }), "'iat' is missing"],
    ['an iat that is null', forge({ iat: null }), "'iat' is missing"],
    ['no exp', forge({ exp: undefined }), "'exp' is missing"],
    ['an exp that is a text', forge({ exp: 'never' }), "'exp' is missing"],
    ['no signature', forge().replace(/[^.]*$/, ''), 'signature'],
    ['alg none', forge({}, { alg: 'none' }), 'signature'],
    ['alg HS256 with the public key as secret', forge({}, { alg: 'HS256' }, alpha.publicKeyPem), 'signature'],
    ['alg RS512', forge({}, { alg: 'RS512' }), 'signature'],
    ['alg PS256', forge({}, { alg: 'PS256' }), 'signature'],
    ['a signature by another key', forge({}, {}, beta.privateKeyPem), 'signature'],
    ['another agent in kid', forge({ sub: beta.id }, { kid: beta.id }), 'signature'],
    ['a critical header member', forge({}, { crit: ['exp'], exp: 1 }), 'signature'],
    ['claims that are a list', signRaw(JSON.stringify(header()), '[]', alpha.privateKeyPem), "'sub'"],
    ['claims that are null', signRaw(JSON.stringify(header()), 'null', alpha.privateKeyPem), 'not an object'],
    ['claims that are no JSON', signRaw(JSON.stringify(header()), '{', alpha.privateKeyPem), 'signature'],
  ])('refuses %s and says why', async (_what, token, why) => {
    await expect(refusal(token)).resolves.toContain(why);
  });

  it('refuses claims that were changed after signing', async () => {
    const [head, , mark] = forge({ sub: beta.id }).split('.') as [string, string, string];
    const changed = Buffer.from(JSON.stringify(claims())).toString('base64url');
    await expect(refusal(`${head}.${changed}.${mark}`)).resolves.toContain('signature');
  });
});
