const utf8 = new TextDecoder('utf-8', { fatal: true });

/** A compact JWS or JWE that is not of the one form we take; says why in fixed words, never in those of the text. */
export class CompactError extends Error {
  override readonly name = 'CompactError';
}

/** Text of UTF-8 bytes; throws a TypeError on any other bytes. */
export function textOf(bytes: Uint8Array): string {
  return utf8.decode(bytes);
}

/** The bytes of a text that is ASCII alone, as all that is compact is (RFC 7515, 5.1, step 5). */
export function asciiBytes(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** What the JSON text in UTF-8 says. Throws CompactError with `what` in it, while the error of JSON.parse quotes the text. */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(textOf(bytes));
  } catch {
    throw new CompactError(`${what} is not JSON`);
  }
}

/**
 * Whether every part of a compact JOSE text is the one base64url text of its bytes (RFC 7515, section 2). Decoders also
 * take others, with white space or with unused bits set, so that one seal or token could be written in many ways.
 */
export function isCanonical(compact: string): boolean {
  return compact.split('.').every((part) => decoded(part) !== undefined);
}

/** The bytes of each part of a compact text of exactly `count` canonical parts. Throws CompactError. */
export function decodeParts(compact: string, count: number): Buffer[] {
  const parts = compact.split('.', count + 1);
  if (parts.length !== count) throw new CompactError(`not ${count} parts`);
  return parts.map((part) => {
    const bytes = decoded(part);
    if (!bytes) throw new CompactError('a part is not plain base64url');
    return bytes;
  });
}

/**
 * Checks the protected header: every wanted member has the wanted value. Members nobody knows are to be ignored (RFC
 * 7515 and 7516, section 4), those that would change how the rest is read are not. Throws CompactError.
 */
export function checkHeader(bytes: Buffer, wanted: Readonly<Record<string, string>>): void {
  const header = headerOf(bytes);
  for (const [name, value] of Object.entries(wanted)) {
    if (!Object.hasOwn(header, name) || header[name] !== value) throw new CompactError(`another ${name}`);
  }
  for (const name of REFUSED) if (Object.hasOwn(header, name)) throw new CompactError(`the header has ${name}`);
}

/**
 * `crit`: an extension to be understood or refused, and there is none that we understand (RFC 7515, 4.1.11). `b64`: a
 * payload without base64url (RFC 7797, 3). `zip`: a small message could unfold without bound (RFC 7516, 4.1.3).
 */
const REFUSED = ['crit', 'b64', 'zip'];

/** An object in JSON, a list being one without members; of names that come twice the last counts (RFC 7515, section 4). */
function headerOf(bytes: Buffer): Record<string, unknown> {
  const header = parseJson(bytes, 'the header');
  if (typeof header !== 'object' || header === null) throw new CompactError('the header is not an object');
  return header as Record<string, unknown>;
}

function decoded(part: string): Buffer | undefined {
  const bytes = Buffer.from(part, 'base64url');
  return bytes.toString('base64url') === part ? bytes : undefined;
}
