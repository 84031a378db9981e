import { execFile } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { makeCertificate } from '../../helpers/certificates';
import { makeIdentity } from '../../helpers/keys';

const ROOT = path.join(__dirname, '../../..');
const folder = mkdtempSync(path.join(tmpdir(), 'dmr-test-tls-'));
const authority = path.join(folder, 'ca.pem');

const { privateKeyPem, publicKeyPem } = makeIdentity('CentOps');
const agent = makeIdentity('Police');
const certificateFor = (name: string) =>
  makeCertificate(createPublicKey(publicKeyPem), privateKeyPem, { subject: name, issuer: name });

let asked = 0;
const servers: Server[] = [];

/** A CentOps behind a certificate that nobody public has signed. */
async function serve(certificate: string) {
  const entry = { id: agent.id, name: agent.name, authentication_certificate: agent.publicKeyPem };
  const server = createServer({ key: privateKeyPem, cert: certificate }, (_request, response) => {
    asked += 1;
    response.end(JSON.stringify({ response: [entry] }));
  }).listen(0);
  servers.push(server);
  await once(server, 'listening');
  return `https://localhost:${(server.address() as AddressInfo).port}/agents`;
}

/** Node reads NODE_EXTRA_CA_CERTS once, at its start: each case is a process of its own. */
async function ask(url: string, env: NodeJS.ProcessEnv): Promise<string> {
  const code = `require('./lib/agents/centops-client').fetchAgents({ url: ${JSON.stringify(url)} })
    .then(({ agents }) => console.log(agents[0].name), ({ code, message }) => console.log(code, message))`;
  const options = { cwd: ROOT, env: { PATH: process.env['PATH'], ...env } };
  const { stdout } = await promisify(execFile)(process.execPath, ['--require', 'tsx/cjs', '-e', code], options);
  return stdout.trim();
}

describe('CentOps behind TLS', () => {
  beforeEach(() => (asked = 0));
  afterEach(() => servers.splice(0).forEach((server) => server.close()));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('is believed when its certificate is', async () => {
    const certificate = certificateFor('localhost');
    const url = await serve(certificate);
    writeFileSync(authority, certificate);
    await expect(ask(url, { NODE_EXTRA_CA_CERTS: authority })).resolves.toBe(agent.name);
  }, 30_000);

  it.each([
    ['that nobody vouches for', 'localhost', {}, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    ['of another host', 'elsewhere', { NODE_EXTRA_CA_CERTS: authority }, 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ])(
    'is not even asked with a certificate %s, and the error says why',
    async (_what, name, env, reason) => {
      const certificate = certificateFor(name);
      const url = await serve(certificate);
      writeFileSync(authority, certificate);
      const answer = await ask(url, env);
      expect(answer).toMatch(/^CENTOPS_UNREACHABLE /);
      expect(answer).toContain(reason);
      expect(asked).toBe(0);
    },
    30_000,
  );
});
