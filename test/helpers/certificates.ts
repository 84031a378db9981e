import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';

/** A certificate and its key, as PEM files. */
export interface CertificateFiles {
  certFile: string;
  keyFile: string;
}

/** A CA, a server that is `localhost` and not 127.0.0.1, and a client, both signed by it; good for a day. */
export function makeCertificates(dir: string): {
  ca: CertificateFiles;
  server: CertificateFiles;
  client: CertificateFiles;
} {
  const files = (name: string) => ({
    certFile: path.join(dir, `${name}.pem`),
    keyFile: path.join(dir, `${name}-key.pem`),
  });
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
  const newKey = ['-newkey', 'rsa:2048', '-nodes'];
  const ca = files('ca');
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    ca.keyFile,
    '-out',
    ca.certFile,
    '-days',
    '1',
    '-subj',
    '/CN=CA of a test',
  );
  const signed = (name: string, extension: string) => {
    const { certFile, keyFile } = files(name);
    const request = path.join(dir, `${name}.csr`);
    const extensions = path.join(dir, `${name}.ext`);
    writeFileSync(extensions, extension);
    openssl('req', ...newKey, '-keyout', keyFile, '-out', request, '-subj', `/CN=${name}`);
    const by = ['-CA', ca.certFile, '-CAkey', ca.keyFile, '-CAcreateserial'];
    openssl('x509', '-req', '-in', request, ...by, '-out', certFile, '-days', '1', '-extfile', extensions);
    return { certFile, keyFile };
  };
  return {
    ca,
    server: signed('server', 'subjectAltName=DNS:localhost'),
    client: signed('client', 'extendedKeyUsage=clientAuth'),
  };
}
