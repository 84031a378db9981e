import { createPublicKey, type KeyObject } from 'node:crypto';
import { importPrivateKey, importPublicKey } from './keys';

/**
 * The private keys of an agent while it changes them: the current one, and the one before for as long as others may
 * still seal to it or CentOps may still list it.
 */
export class KeyRing {
  /** The key that the agent has come to use. */
  readonly current: KeyObject;
  /** What a seal may have been made for, in the order to try. */
  readonly opening: readonly KeyObject[];
  /** The last answer: a list stays the same for long. */
  private fit: { certificate: string; key: KeyObject | undefined } | undefined;

  /** Takes PEM texts; throws FinalError KEY_INVALID. */
  constructor(currentPem: string, previousPem?: string) {
    this.current = importPrivateKey(currentPem);
    this.opening = previousPem === undefined ? [this.current] : [this.current, importPrivateKey(previousPem)];
  }

  /**
   * The key to sign with while CentOps lists this certificate for the agent: the one that fits it. The current one when
   * none does or nothing is listed.
   */
  signingKeyFor(listedCertificate: string | undefined): KeyObject {
    if (listedCertificate === undefined || this.opening.length === 1) return this.current;
    return this.fitting(listedCertificate) ?? this.current;
  }

  /** Which of the keys is the one of this certificate. */
  nameOf(listedCertificate: string | undefined): 'current' | 'previous' | 'none' {
    const key = listedCertificate === undefined ? undefined : this.fitting(listedCertificate);
    if (!key) return 'none';
    return key === this.current ? 'current' : 'previous';
  }

  private fitting(certificate: string): KeyObject | undefined {
    if (this.fit?.certificate !== certificate) this.fit = { certificate, key: this.lookFor(certificate) };
    return this.fit.key;
  }

  private lookFor(certificate: string): KeyObject | undefined {
    try {
      const listed = importPublicKey(certificate);
      return this.opening.find((key) => createPublicKey(key).equals(listed));
    } catch {
      return undefined; // what CentOps lists is no key at all; it has to be mended there
    }
  }
}
