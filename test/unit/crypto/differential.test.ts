import { constants, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import fc from 'fast-check';
import { compactDecrypt, CompactEncrypt, CompactSign, compactVerify } from 'jose';
import { importPublicKey } from '../../../lib/crypto/keys';
import { DecryptionError, open, SignatureError } from '../../../lib/crypto/open';
import { seal } from '../../../lib/crypto/seal';
import { anyText, runs } from '../../property/arbitraries';
import { type JweChange, jweWith, jwsWith, respelt, withBytes, withPart } from './hostile-seals';
import { testAgents } from './vectors';

jest.setTimeout(60_000);

const { alpha, beta, gamma } = testAgents;
const binding = { messageId: 'a3bb189e-8bf9-4c3a-9f1d-2e5f6a7b8c9d', senderId: alpha.id, recipientId: beta.id };
const SECRET = 'Mari Maasikas';
const claims = JSON.stringify({ data: SECRET });

/** jose, told which algorithms count: the other opinion on what opens. */
async function joseOpens(sealed: string, senderKey = alpha.publicKey): Promise<unknown> {
  const { plaintext } = await compactDecrypt(sealed, beta.privateKey, {
    keyManagementAlgorithms: ['RSA-OAEP'],
    contentEncryptionAlgorithms: ['A256GCM'],
    maxDecompressedLength: 0,
  });
  const { payload } = await compactVerify(Buffer.from(plaintext).toString(), senderKey, { algorithms: ['RS256'] });
  return (JSON.parse(Buffer.from(payload).toString()) as { data: unknown }).data;
}

async function joseSeals(data: unknown): Promise<string> {
  const header = { alg: 'RS256' };
  const signed = await new CompactSign(Buffer.from(JSON.stringify({ data })))
    .setProtectedHeader(header)
    .sign(alpha.privateKey);
  return new CompactEncrypt(Buffer.from(signed))
    .setProtectedHeader({ alg: 'RSA-OAEP', enc: 'A256GCM' })
    .encrypt(beta.publicKey);
}

const weOpen = (sealed: string, senderKey = alpha.publicKey) =>
  open(sealed, binding, 'prefer', beta.privateKey, senderKey);

describe('jose and we', () => {
  it.each([2050, 2055, 3071])('take keys of %i bits, whose last byte is not full', async (modulusLength) => {
    const odd = generateKeyPairSync('rsa', { modulusLength });
    const sealed = await seal('hello', binding, odd.privateKey, odd.publicKey);
    expect(await open(sealed, binding, 'require', odd.privateKey, odd.publicKey)).toBe('hello');
    expect(new TextDecoder().decode((await compactDecrypt(sealed, odd.privateKey)).plaintext)).toMatch(/^ey/);
  });

  const big = fc.constantFrom('', {}, 'õ'.repeat(100_000), { text: '\u{1f6b2}'.repeat(50_000) });
  const payload = fc.oneof(
    { arbitrary: fc.jsonValue({ stringUnit: 'binary' }), weight: 20 },
    { arbitrary: anyText, weight: 10 },
    { arbitrary: big, weight: 1 },
  );

  it('open what the other sealed', async () => {
    await fc.assert(
      fc.asyncProperty(payload, async (data) => {
        const ours = await seal(data, binding, alpha.privateKey, beta.publicKey);
        const opened = [await joseOpens(ours), await weOpen(await joseSeals(data)), await weOpen(ours)];
        return opened.every((value) => JSON.stringify(value) === JSON.stringify(data));
      }),
      { ...runs(150), examples: [[''], ['õ'.repeat(100_000)], [{}]] },
    );
  });

  it('ignore a member of a header that neither knows', async () => {
    const jws = jwsWith('{"typ":"JWT","alg":"RS256","kid":"x"}', claims, alpha.privateKey);
    const jwe = jweWith({ header: '{"enc":"A256GCM","cty":"JWT","alg":"RSA-OAEP"}' }, jws, beta.publicKey);
    await expect(weOpen(jwe)).resolves.toBe(SECRET);
    await expect(joseOpens(jwe)).resolves.toBe(SECRET);
  });
});

async function refusedByUs(sealed: string, errorClass: typeof DecryptionError | typeof SignatureError): Promise<void> {
  const error = (await weOpen(sealed).catch((thrown: unknown) => thrown)) as Error;
  expect(error).toBeInstanceOf(errorClass);
  expect(`${String(error)} ${String(error.cause)}`).not.toContain(SECRET);
}

const jws = jwsWith('{"alg":"RS256"}', claims, alpha.privateKey);
const good = jweWith({}, jws, beta.publicKey);
const PARTS = ['header', 'encrypted key', 'initialization vector', 'ciphertext', 'tag'];
const INNER_PARTS = ['header', 'payload', 'signature'];

/** Every part of a compact text missing, empty, twice, cut, longer or with another bit. */
function damaged(compact: string, names: readonly string[]): [string, string][] {
  const each = (what: string, change: (index: number) => string) =>
    names.map((name, index): [string, string] => [`${name} ${what}`, change(index)]);
  const parts = compact.split('.');
  return [
    ...each('left out', (index) => parts.toSpliced(index, 1).join('.')),
    ...each('empty', (index) => withPart(compact, index, () => '')),
    ...each('twice', (index) => parts.toSpliced(index, 0, parts[index] as string).join('.')),
    ...each('cut by a byte', (index) => withBytes(compact, index, (bytes) => bytes.subarray(0, -1))),
    ...each('longer by a byte', (index) => withBytes(compact, index, (b) => Buffer.concat([b, Buffer.alloc(1)]))),
    ...each('with another bit', (index) => withBytes(compact, index, (b) => b.fill((b[5] as number) ^ 1, 5, 6))),
  ];
}

/** The same bytes otherwise written, which decoders take: one seal must not be written in many ways. */
function otherSpellings(compact: string, names: readonly string[]): [string, string][] {
  const spell = (name: string, index: number, what: string, change: (part: string) => string | undefined) => {
    const text = change(compact.split('.')[index] as string);
    return text === undefined ? [] : [[`${name} ${what}`, withPart(compact, index, () => text)] as [string, string]];
  };
  return names.flatMap((name, index) => [
    ...spell(name, index, 'with unused bits set', respelt),
    ...spell(name, index, 'with a blank', (part) => `${part} `),
    ...spell(name, index, 'with a line break', (part) => `${part.slice(0, 4)}\n${part.slice(4)}`),
    ...spell(name, index, 'with padding', (part) => `${part}=`),
  ]);
}

const HEADERS: [string, string | Buffer][] = [
  ['no JSON', '{'],
  ['empty', ''],
  ['a list', '[]'],
  ['a list with members', '["alg","RSA-OAEP"]'],
  ['null', 'null'],
  ['a text', '"RSA-OAEP"'],
  ['no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
  ['an object without members', '{}'],
];

const outerHeader = (members: string): [string, string] => [members, `{"alg":"RSA-OAEP","enc":"A256GCM",${members}}`];
const OUTER: [string, string | Buffer][] = [
  ...HEADERS,
  outerHeader('"zip":"DEF"'),
  outerHeader('"crit":["exp"],"exp":1'),
  outerHeader('"crit":["b64"],"b64":true'),
  outerHeader('"crit":[]'),
  outerHeader('"crit":null'),
  outerHeader('"alg":"RSA1_5"'),
  outerHeader('"enc":"A128GCM"'),
  outerHeader('"alg":"none"'),
  ...['RSA1_5', 'RSA-OAEP-256', 'dir', 'none', 'HS256', 'rsa-oaep', 'RSA-OAEP '].map((alg): [string, string] => [
    `alg ${alg}`,
    `{"alg":"${alg}","enc":"A256GCM"}`,
  ]),
  ...['A128GCM', 'A256CBC-HS512', 'a256gcm'].map((enc): [string, string] => [
    `enc ${enc}`,
    `{"alg":"RSA-OAEP","enc":"${enc}"}`,
  ]),
  ['alg in a list', '{"alg":["RSA-OAEP"],"enc":"A256GCM"}'],
  ['no alg', '{"enc":"A256GCM"}'],
  ['no enc', '{"alg":"RSA-OAEP"}'],
  ['alg of a prototype', '{"__proto__":{"alg":"RSA-OAEP"},"enc":"A256GCM"}'],
];

const innerHeader = (members: string): [string, string] => [members, `{"alg":"RS256",${members}}`];
const INNER: [string, string | Buffer][] = [
  ...HEADERS,
  innerHeader('"crit":["exp"],"exp":1'),
  innerHeader('"crit":["b64"],"b64":false'),
  innerHeader('"crit":[]'),
  innerHeader('"crit":null'),
  innerHeader('"alg":"none"'),
  ...['none', 'HS256', 'RS512', 'PS256', 'rs256', ''].map((alg): [string, string] => [
    `alg ${alg}`,
    `{"alg":"${alg}"}`,
  ]),
  ['alg in a list', '{"alg":["RS256"]}'],
  ['alg of a prototype', '{"__proto__":{"alg":"RS256"}}'],
];

const { RSA_PKCS1_OAEP_PADDING: OAEP, RSA_PKCS1_PADDING: PKCS1 } = constants;
const CHANGES: [string, JweChange][] = [
  ['a tag of 32 bits that fits', { tagBytes: 4 }],
  ['a tag of 96 bits that fits', { tagBytes: 12 }],
  ['a tag of 120 bits that fits', { tagBytes: 15 }],
  ['an initialization vector of 64 bits that fits', { iv: randomBytes(8) }],
  ['an initialization vector of 128 bits that fits', { iv: randomBytes(16) }],
  ['a content key of 128 bits that fits', { contentKey: randomBytes(16) }],
  ['a content key of 192 bits that fits', { contentKey: randomBytes(24) }],
  ['a content key of 264 bits, the first 256 of which fit', { contentKey: randomBytes(33) }],
  ['an empty content key', { contentKey: Buffer.alloc(0) }],
  ['a key wrapped by RSA1_5', { wrap: { padding: PKCS1 } }],
  ['a key wrapped by RSA-OAEP-256', { wrap: { padding: OAEP, oaepHash: 'sha256' } }],
];

describe('what is no seal', () => {
  const outer: [string, string][] = [
    ...damaged(good, PARTS),
    ...OUTER.map(([what, header]): [string, string] => [`header: ${what}`, jweWith({ header }, jws, beta.publicKey)]),
    ...CHANGES.map(([what, change]): [string, string] => [what, jweWith(change, jws, beta.publicKey)]),
    ['a seal for another', jweWith({}, jws, gamma.publicKey)],
    ['nothing', ''],
    ['ten thousand dots', '.'.repeat(10_000)],
    ['no ASCII', 'õ.õ.õ.õ.õ'],
    ['half of a pair', '\ud83d.AAAA.AAAA.AAAA.AAAA'],
  ];

  it.each(outer)('is refused by both: %s', async (_what, sealed) => {
    await expect(joseOpens(sealed)).rejects.toThrow();
    await refusedByUs(sealed, DecryptionError);
  });

  it.each(otherSpellings(good, PARTS))('is refused by us, whatever jose says: %s', async (_what, sealed) => {
    await refusedByUs(sealed, DecryptionError);
  });

  it('does not tell a wrong key, padding or length from a wrong tag', async () => {
    const wrong: [string, string][] = [
      ['tag', withBytes(good, 4, (bytes) => bytes.fill(0))],
      ['key', jweWith({}, jws, gamma.publicKey)],
      ['length', withBytes(good, 1, (bytes) => bytes.subarray(1))],
      ...CHANGES.flatMap(([what, change]): [string, string][] =>
        change.wrap || change.contentKey ? [[what, jweWith(change, jws, beta.publicKey)]] : [],
      ),
    ];
    const causes = wrong.map(async ([, sealed]) => {
      const { message, cause } = (await weOpen(sealed).catch((thrown: unknown) => thrown)) as Error;
      return `${message} ${String(cause)}`;
    });
    expect(new Set(await Promise.all(causes)).size).toBe(1);
  });

  it('is refused by us when the encrypted key lacks its leading zeros', async () => {
    let sealed = good;
    // One in 256 begins with a zero.
    while (Buffer.from(sealed.split('.')[1] as string, 'base64url')[0] !== 0) sealed = jweWith({}, jws, beta.publicKey);
    await expect(weOpen(sealed)).resolves.toBe(SECRET);
    await refusedByUs(
      withBytes(sealed, 1, (bytes) => bytes.subarray(1)),
      DecryptionError,
    );
  });
});

describe('what is not signed', () => {
  const inner: [string, string][] = [
    ...damaged(jws, INNER_PARTS),
    ...INNER.map(([what, header]): [string, string] => [`header: ${what}`, jwsWith(header, claims, alpha.privateKey)]),
    ['signed by another', jwsWith('{"alg":"RS256"}', claims, gamma.privateKey)],
    ['nothing', ''],
    ['no JSON', jwsWith('{"alg":"RS256"}', SECRET, alpha.privateKey)],
    [
      'a signature by SHA-1',
      jws.replace(/[^.]*$/, sign('sha1', signedOf(jws), alpha.privateKey).toString('base64url')),
    ],
  ];

  it.each(inner)('is refused by both: %s', async (_what, text) => {
    const sealed = jweWith({}, text, beta.publicKey);
    await expect(joseOpens(sealed)).rejects.toThrow();
    await refusedByUs(sealed, SignatureError);
  });

  it.each([
    ...otherSpellings(jws, INNER_PARTS),
    ['header: b64 is true', jwsWith('{"alg":"RS256","b64":true}', claims, alpha.privateKey)],
  ])('is refused by us, whatever jose says: %s', async (_what, text) => {
    await refusedByUs(jweWith({}, text, beta.publicKey), SignatureError);
  });
});

describe('a key below 2048 bits', () => {
  const short = generateKeyPairSync('rsa', { modulusLength: 1024 });

  it('seals nothing and opens nothing, even past its import', async () => {
    await expect(seal(1, binding, short.privateKey, beta.publicKey)).rejects.toThrow('2048');
    await expect(seal(1, binding, alpha.privateKey, short.publicKey)).rejects.toThrow('2048');
    const signedByShort = jweWith({}, jwsWith('{"alg":"RS256"}', claims, short.privateKey), beta.publicKey);
    await expect(weOpen(signedByShort, short.publicKey)).rejects.toBeInstanceOf(SignatureError);
    const opening = open(jweWith({}, jws, short.publicKey), binding, 'prefer', short.privateKey, alpha.publicKey);
    await expect(opening).rejects.toBeInstanceOf(DecryptionError);
    expect(() => importPublicKey(short.publicKey.export({ type: 'spki', format: 'pem' }).toString())).toThrow('2048');
  });
});

function signedOf(compact: string): Buffer {
  return Buffer.from(compact.slice(0, compact.lastIndexOf('.')));
}
