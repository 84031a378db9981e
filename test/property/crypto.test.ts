import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { readPage } from '../../lib/agents/centops-answer';
import { importPrivateKey, importPublicKey } from '../../lib/crypto/keys';
import { DecryptionError, open, SignatureError } from '../../lib/crypto/open';
import { seal } from '../../lib/crypto/seal';
import { makeToken, TokenError, verifyToken } from '../../lib/crypto/token';
import { DmrError } from '../../lib/errors';
import { makeIdentity, toAgentRecord } from '../helpers/keys';
import { anyText, anyValue, edit, edited, forMutants, runs } from './arbitraries';

jest.setTimeout(60_000); // thousands of runs, on a machine that may have other things to do

const [tax, police] = [makeIdentity('Tax Office'), makeIdentity('Police')];
const publicKeys = new Map([tax, police].map(({ id, publicKeyPem }) => [id, importPublicKey(publicKeyPem)]));
const policeKey = importPrivateKey(police.privateKeyPem);
const taxKey = importPrivateKey(tax.privateKeyPem);
const publicKeyOf = (id: string) => publicKeys.get(id);

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;

/** What somebody gets for a promise: its value, or the error that it was refused with. */
async function outcomeOf<T>(promise: Promise<T>): Promise<{ value: T } | { error: unknown }> {
  return promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
}

const edits = fc.array(edit, { minLength: 1, maxLength: 3 });
const apply = (text: string, changes: [string, number, string][]) => changes.reduce(edited, text);

describe('verifyToken', () => {
  it('takes a token as it was made, and no other that can be made of it', async () => {
    const token = await makeToken(tax.id, taxKey);
    await expect(verifyToken(token, publicKeyOf, 60_000)).resolves.toBe(tax.id);
    await fc.assert(
      fc.asyncProperty(edits, async (changes) => {
        const other = apply(token, changes);
        const outcome = await outcomeOf(verifyToken(other, publicKeyOf, 60_000));
        return 'value' in outcome ? other === token : outcome.error instanceof TokenError;
      }),
      runs(10_000),
    );
  });

  it('takes no token that is put together of two', async () => {
    const parts = (await Promise.all([makeToken(tax.id, taxKey), makeToken(police.id, policeKey)])).map((token) =>
      token.split('.'),
    );
    const choice = fc.array(fc.constantFrom(0, 1), { minLength: 3, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(choice, async (from) => {
        const outcome = await outcomeOf(verifyToken(from.map((f, i) => parts[f]?.[i]).join('.'), publicKeyOf, 60_000));
        return 'value' in outcome ? new Set(from).size === 1 : outcome.error instanceof TokenError;
      }),
      runs(50),
    );
  });

  it('refuses whatever else it is given with a TokenError', async () => {
    await fc.assert(
      fc.asyncProperty(anyValue, async (value) => {
        const outcome = await outcomeOf(verifyToken(value, publicKeyOf, 60_000));
        return 'error' in outcome && outcome.error instanceof TokenError;
      }),
      runs(10_000),
    );
  });
});

describe('open', () => {
  const binding = { messageId: randomUUID(), senderId: tax.id, recipientId: police.id };
  const payload = { text: 'My bicycle was stolen.' };
  const sealed = () => seal(payload, binding, taxKey, publicKeyOf(police.id)!);
  const openWith = (text: string, bound = binding) =>
    outcomeOf(open(text, bound, 'require', policeKey, publicKeyOf(tax.id)!));
  const isRefusal = (error: unknown) => error instanceof DecryptionError || error instanceof SignatureError;

  it('opens a seal as it was made, and no other that can be made of it', async () => {
    const original = await sealed();
    expect(await openWith(original)).toEqual({ value: payload });
    await fc.assert(
      fc.asyncProperty(edits, async (changes) => {
        const other = apply(original, changes);
        const outcome = await openWith(other);
        return 'value' in outcome ? other === original : isRefusal(outcome.error);
      }),
      runs(3000),
    );
  });

  it('opens no seal that is put together of two', async () => {
    const parts = (await Promise.all([sealed(), sealed()])).map((text) => text.split('.'));
    const choice = fc.array(fc.constantFrom(0, 1), { minLength: 5, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(choice, async ([_header, ...from]) => {
        // The header is the same in both.
        const outcome = await openWith([parts[0]?.[0], ...from.map((f, i) => parts[f]?.[i + 1])].join('.'));
        return 'value' in outcome ? new Set(from).size === 1 : isRefusal(outcome.error);
      }),
      runs(200),
    );
  });

  it('opens no seal under another envelope than its own', async () => {
    const original = await sealed();
    const field = fc.constantFrom('messageId', 'senderId', 'recipientId');
    await fc.assert(
      fc.asyncProperty(field, fc.oneof(fc.uuid(), anyText), async (name, other) => {
        const outcome = await openWith(original, { ...binding, [name]: other });
        return 'value' in outcome ? other === binding[name as 'messageId'] : outcome.error instanceof SignatureError;
      }),
      runs(500),
    );
  });
});

describe('the import of a key', () => {
  const pems = [tax.privateKeyPem, tax.publicKeyPem];

  /** Any piece of a key that is long enough to be of use to somebody. */
  const quotes = (text: string, pem: string) =>
    pem.split('\n').some((line) => /^[\w+/]{40,}$/.test(line) && text.includes(line.slice(0, 12)));

  it.each([
    ['private', importPrivateKey],
    ['public', importPublicKey],
  ])('(%s) ends in a key or in KEY_INVALID without a word of the text', (_kind, importKey) => {
    const text = fc.oneof(
      anyText,
      fc.tuple(fc.constantFrom(...pems), edits).map(([pem, changes]) => apply(pem, changes)),
    );
    fc.assert(
      fc.property(text, (pem) => {
        try {
          return importKey(pem).asymmetricKeyType === 'rsa';
        } catch (error) {
          return error instanceof DmrError && error.code === 'KEY_INVALID' && !quotes(String(error.stack), pem);
        }
      }),
      runs(1500),
    );
  });
});

describe('readPage', () => {
  const { id, name, authenticationCertificate } = toAgentRecord(tax);
  const flat = { response: [{ id, name, authentication_certificate: authenticationCertificate }] };
  const paged = { response: { items: [{ clientId: id, name, authenticationCertificate }], page: 1, totalPages: 3 } };

  it.each([
    ['flat', flat],
    ['paged', paged],
  ])('(%s) lists valid agents, counts pages and quotes no key, or says that the answer is none', (_shape, valid) => {
    forMutants(valid, 600, (mutant) => {
      try {
        const page = readPage(mutant);
        const told = page.rejected.join('\n');
        const usable = page.agents.every(
          (agent) => UUID.test(agent.id) && importPublicKey(agent.authenticationCertificate),
        );
        return usable && page.totalPages >= 1 && !told.includes(authenticationCertificate.slice(40, 60));
      } catch (error) {
        return error instanceof DmrError && error.code === 'CENTOPS_ANSWER_INVALID';
      }
    });
  });
});
