import { randomBytes } from 'node:crypto';

/** Ids share all but their last twelve digits, which count. */
const STEM = '6f1d2c3b-7a89-4e5f-8a1b-';
const DIGITS = 12;

/** The number in the id of an envelope's text; NaN when it is not one of ours. */
export function numberIn(text: string): number {
  const at = text.indexOf(STEM);
  return at < 0 ? NaN : Number.parseInt(text.slice(at + STEM.length, at + STEM.length + DIGITS), 16);
}

/** A payload as long as a seal: random base64url text. */
export function sealLike(bytes: number): string {
  return randomBytes(bytes).toString('base64url').slice(0, bytes);
}

/** The JSON of an envelope; its id, a version 4 UUID in form, holds the number. */
export function envelope(n: number, senderId: string, recipientId: string, payload: string): string {
  const id = STEM + n.toString(16).padStart(DIGITS, '0');
  const head = `{"id":"${id}","senderId":"${senderId}","recipientId":"${recipientId}","type":"ChatMessage"`;
  return `${head},"payload":"${payload}","timestamp":"${new Date().toISOString()}"}`;
}
