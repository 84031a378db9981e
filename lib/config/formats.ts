import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { Cron } from 'croner';
import { importPrivateKey, importPublicKey } from '../crypto/keys';

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

/** Whether the PEM text begins with an X.509 certificate. */
export function isCertificate(pem: string): boolean {
  return succeeds(() => Boolean(new X509Certificate(pem)));
}

/** Whether the PEM text is a private key of any kind that needs no passphrase. */
export function isAnyPrivateKey(pem: string): boolean {
  return succeeds(() => Boolean(createPrivateKey(pem)));
}

/** Whether the key is that of the certificate, both PEM. */
export function belongTogether(cert: string, key: string): boolean {
  return succeeds(() => Boolean(createSecureContext({ cert, key })));
}

function succeeds(check: () => boolean): boolean {
  try {
    return check();
  } catch {
    return false; // Parsers throw on text that is not theirs, and what they say may quote a key.
  }
}
