import { X509Certificate } from 'node:crypto';
import { CertificateExpiries } from '../../../lib/agents/certificate-expiries';
import { makeAgentKeys } from '../../helpers/keys';
import { CERTIFICATE } from '../config/environments';

const agent = (id: string, authenticationCertificate: string) => ({
  id,
  name: id,
  authenticationCertificate,
  createdAt: '',
  updatedAt: '',
});
const EXPIRES = Date.parse(new X509Certificate(CERTIFICATE).validTo) / 1000;

describe('CertificateExpiries', () => {
  it('tells when certificates expire, Unix time, and nothing of bare keys or what is neither', () => {
    const listed = [
      agent('certificate', CERTIFICATE),
      agent('escaped', CERTIFICATE.replaceAll('\n', '\\n')),
      agent('key', makeAgentKeys().publicKeyPem),
      agent('broken', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'),
      agent('nothing', ''),
    ];
    expect(EXPIRES).toBeGreaterThan(1_000_000_000);
    const expiries = new CertificateExpiries();
    for (let times = 0; times < 2; times++) {
      expect(expiries.of(listed)).toEqual([
        { id: 'certificate', at: EXPIRES },
        { id: 'escaped', at: EXPIRES },
      ]);
    }
  });

  it('follows the list', () => {
    const expiries = new CertificateExpiries();
    expect(expiries.of([agent('a', CERTIFICATE)])).toHaveLength(1);
    expect(expiries.of([agent('a', makeAgentKeys().publicKeyPem)])).toEqual([]);
    expect(expiries.of([])).toEqual([]);
  });
});
