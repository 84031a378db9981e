/**
 * Whether every part of a compact JOSE text is the one base64url text of its bytes (RFC 7515, section 2). Decoders also
 * take others, with white space or with unused bits set, so that one seal or token could be written in many ways.
 */
export function isCanonical(compact: string): boolean {
  return compact.split('.').every((part) => Buffer.from(part, 'base64url').toString('base64url') === part);
}
