import { createPublicKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { importPrivateKey, importPublicKey, normalizePem } from '../../../lib/crypto/keys';
import { FinalError } from '../../../lib/errors';
import { makeCertificate } from '../../helpers/certificates';

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const short = generateKeyPairSync('rsa', { modulusLength: 1024 });
const notRsa = {
  EC: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  Ed25519: generateKeyPairSync('ed25519'),
  'RSA-PSS': generateKeyPairSync('rsa-pss', { modulusLength: 2048 }),
};

const pkcs8 = pem(privateKey, 'pkcs8');
const pkcs1 = pem(privateKey, 'pkcs1');
const spki = pem(publicKey, 'spki');
const publicPkcs1 = pem(publicKey, 'pkcs1');
const certificate = makeCertificate(publicKey, pkcs8);

const escaped = (text: string): string => text.replaceAll('\n', '\\n');
const crlf = (text: string): string => text.replaceAll('\n', '\r\n');
const escapedCrlf = (text: string): string => text.replaceAll('\n', '\\r\\n');

function pem(key: KeyObject, type: 'pkcs1' | 'pkcs8' | 'spki'): string {
  return (key.export as (options: object) => string)({ type, format: 'pem' });
}

function failureOf(attempt: () => unknown): FinalError {
  try {
    attempt();
  } catch (error) {
    if (error instanceof FinalError) return error;
    throw error;
  }
  throw new Error('the key was taken');
}

const WRITINGS: [string, (text: string) => string][] = [
  ['as it is', (text) => text],
  ['with literal \\n', escaped],
  ['with CRLF', crlf],
  ['with literal \\r\\n', escapedCrlf],
  ['with blanks around it', (text) => `\n  ${text}  \n`],
];

describe('importPrivateKey', () => {
  const forms: [string, string][] = [
    ['PKCS#8', pkcs8],
    ['PKCS#1', pkcs1],
  ];

  it.each(forms.flatMap(([form, text]) => WRITINGS.map(([writing, write]) => [form, writing, write(text)])))(
    'takes %s %s',
    (_form, _writing, text) => {
      const key = importPrivateKey(text);
      expect(key.type).toBe('private');
      expect(key.equals(privateKey)).toBe(true);
    },
  );

  it.each([
    ['nothing', ''],
    ['no PEM', 'text'],
    ['a public key', spki],
    ['a public key in PKCS#1', publicPkcs1],
    ['a certificate', certificate],
    ['half of a key', pkcs8.slice(0, 400)],
    ['a header without a key', '-----BEGIN PRIVATE KEY-----\n\n-----END PRIVATE KEY-----'],
    ['an encrypted key', encrypted()],
    ...Object.entries(notRsa).map(([kind, pair]) => [`${kind}`, pem(pair.privateKey, 'pkcs8')]),
  ])('refuses %s', (_what, text) => {
    const error = failureOf(() => importPrivateKey(text));
    expect(error).toMatchObject({ code: 'KEY_INVALID', retryable: false });
    expect(error.message).toContain('private key');
  });

  it.each(['pkcs8', 'pkcs1'] as const)('refuses 1024 bits and says how many it wants: %s', (type) => {
    const error = failureOf(() => importPrivateKey(pem(short.privateKey, type)));
    expect(error.message).toContain('2048 bits');
  });

  it('keeps the key out of its error', () => {
    const broken = pkcs8.replace('\n', '\n!');
    const error = failureOf(() => importPrivateKey(`${broken}${broken}`));
    expect(`${error.message} ${error.stack} ${String(error.cause)}`).not.toContain(pkcs8.split('\n')[3]);
  });
});

describe('importPublicKey', () => {
  const forms: [string, string][] = [
    ['SPKI', spki],
    ['PKCS#1', publicPkcs1],
    ['an X.509 certificate', certificate],
  ];

  it('is tested with a certificate that is one', () => {
    expect(new X509Certificate(certificate).verify(publicKey)).toBe(true);
  });

  it.each(forms.flatMap(([form, text]) => WRITINGS.map(([writing, write]) => [form, writing, write(text)])))(
    'takes %s %s',
    (_form, _writing, text) => {
      const key = importPublicKey(text);
      expect(key.type).toBe('public');
      expect(key.equals(publicKey)).toBe(true);
    },
  );

  it.each([
    ['nothing', ''],
    ['no PEM', 'text'],
    ['a private key', pkcs8],
    ['a private key in PKCS#1', pkcs1],
    ['a private key with literal \\n', escaped(pkcs1)],
    ['a certificate with a private key behind it', `${certificate}${pkcs8}`],
    ['half of a key', spki.slice(0, 200)],
    ['half of a certificate', certificate.slice(0, 400)],
    ...Object.entries(notRsa).flatMap(([kind, pair]) => [
      [`${kind}`, pem(pair.publicKey, 'spki')],
      [`a certificate of ${kind}`, makeCertificate(pair.publicKey, pkcs8)],
    ]),
  ])('refuses %s', (_what, text) => {
    const error = failureOf(() => importPublicKey(text));
    expect(error).toMatchObject({ code: 'KEY_INVALID', retryable: false });
    expect(error.message).toContain('public key');
  });

  it.each([
    ['SPKI', pem(short.publicKey, 'spki')],
    ['PKCS#1', pem(short.publicKey, 'pkcs1')],
    ['a certificate', makeCertificate(short.publicKey, pkcs8)],
  ])('refuses 1024 bits and says how many it wants: %s', (_form, text) => {
    expect(failureOf(() => importPublicKey(text)).message).toContain('2048 bits');
  });
});

describe('normalizePem', () => {
  it('leaves proper text alone', () => {
    expect(normalizePem(spki)).toBe(spki.trim());
  });

  it('makes real line breaks of written ones', () => {
    expect(createPublicKey(normalizePem(escaped(spki))).equals(publicKey)).toBe(true);
    expect(normalizePem(escapedCrlf(spki))).toBe(spki.trim());
  });
});

function encrypted(): string {
  return privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }).toString();
}
