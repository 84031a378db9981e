import { execFile } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { makeCertificate } from '../../helpers/certificates';
import { makeAgentKeys } from '../../helpers/keys';
import { FakeServer } from './fake-server';

const [ca, own] = [makeAgentKeys(), makeAgentKeys()];
const ROOT = path.join(__dirname, '../../..');

/** A certificate for an address, from our own authority. */
const issue = (address: string) =>
  makeCertificate(createPublicKey(own.publicKeyPem), ca.privateKeyPem, {
    subject: 'server',
    issuer: 'ca',
    serves: address,
  });

jest.setTimeout(40_000); // each compiles a process of its own

let folder: string;
let caFile: string;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'dmr-ca-'));
  caFile = path.join(folder, 'ca.pem');
  const names = { subject: 'ca', issuer: 'ca', ca: true };
  writeFileSync(caFile, makeCertificate(createPublicKey(ca.publicKeyPem), ca.privateKeyPem, names));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What becomes of an uplink to a server with that certificate, in a process that trusts the authority or does not. */
async function connect(cert: string, scheme: string, extraCa?: string): Promise<string> {
  const server = await FakeServer.start({ tls: { key: own.privateKeyPem, cert } });
  try {
    const args = ['--import', 'tsx', path.join(__dirname, 'connect-once.ts'), `${scheme}://127.0.0.1:${server.port}`];
    const env = { PATH: process.env.PATH, ...(extraCa && { NODE_EXTRA_CA_CERTS: extraCa }) };
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT, env, timeout: 30_000 });
    return stdout.trim();
  } finally {
    await server.close();
  }
}

describe('an uplink over TLS', () => {
  it.each(['https', 'wss'])('works over %s with a private authority that Node is told of', async (scheme) => {
    expect(await connect(issue('127.0.0.1'), scheme, caFile)).toBe('logged in');
  });

  it.each([
    ['an authority that nobody knows', '127.0.0.1', false],
    ['a certificate for another address', '127.0.0.2', true],
  ])('is refused with %s', async (_what, address, trusted) => {
    const outcome = await connect(issue(address), 'https', trusted ? caFile : undefined);
    expect(outcome).toContain('cannot be reached');
  });
});
