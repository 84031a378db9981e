import { X509Certificate } from 'node:crypto';
import { normalizePem } from '../crypto/keys';
import type { AgentRecord } from './agent-record';

/** When the certificate of an agent expires, Unix time, s. */
export interface Expiry {
  id: string;
  at: number;
}

/** When the X.509 certificates of listed agents expire; each certificate is read once. */
export class CertificateExpiries {
  private known = new Map<string, number | undefined>();

  /** Of those listed with a certificate that can be read; a bare key does not expire. */
  of(agents: readonly AgentRecord[]): Expiry[] {
    const next = new Map<string, number | undefined>();
    const expiries: Expiry[] = [];
    for (const { id, authenticationCertificate: pem } of agents) {
      const at = this.known.has(pem) ? this.known.get(pem) : expiryOf(pem);
      next.set(pem, at);
      if (at !== undefined) expiries.push({ id, at });
    }
    this.known = next;
    return expiries;
  }
}

function expiryOf(pem: string): number | undefined {
  if (!pem.includes('BEGIN CERTIFICATE')) return undefined;
  try {
    const at = Date.parse(new X509Certificate(normalizePem(pem)).validTo) / 1000;
    return Number.isFinite(at) ? at : undefined;
  } catch {
    return undefined; // what CentOps lists is no certificate; its agent cannot log in
  }
}
