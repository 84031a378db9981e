import { Cron } from 'croner';
import { importPrivateKey, importPublicKey } from '../crypto/keys';

/** PEM text with real line breaks, one at the end, and nothing else around its lines. */
export function pemLines(text: string): string {
  const lines = text.split(/\r?\n|\\r\\n|\\n/).map((line) => line.trim());
  return `${lines.filter(Boolean).join('\n')}\n`;
}

/** Whether the pattern has a next run; the number of fields is not looked at. */
export function isCronPattern(pattern: string): boolean {
  return succeeds(() => new Cron(pattern, { paused: true, mode: '5-or-6-parts' }).nextRun() !== null);
}

/** Whether the PEM text is an RSA private key that is long enough to sign with. */
export function isOwnPrivateKey(pem: string): boolean {
  return succeeds(() => Boolean(importPrivateKey(pem)));
}

/** Whether the PEM text is an RSA public key that is long enough to seal to, or a certificate that holds one. */
export function isPublicKey(pem: string): boolean {
  return succeeds(() => Boolean(importPublicKey(pem)));
}

function succeeds(check: () => boolean): boolean {
  try {
    return check();
  } catch {
    return false; // Parsers throw on text that is not theirs, and what they say may quote a key.
  }
}
