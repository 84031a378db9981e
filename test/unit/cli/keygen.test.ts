import { createPublicKey } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { execFileSync } from 'node:child_process';
import { parse } from 'dotenv';
import { readPage } from '../../../lib/agents/centops-answer';
import { loadAgentConfig, loadKeyCheckConfig } from '../../../lib/config';
import { importPrivateKey } from '../../../lib/crypto/keys';
import { runDmr } from '../../helpers/run-dmr';
import { temporaryFolder } from '../../helpers/temporary-folder';

const PRIVATE = /PRIVATE KEY-----\n/;
const ID = '8d3c0a51-6a2e-4d0b-9f63-2b1e5c7a9d10';

const publicPemIn = (text: string) =>
  /-----BEGIN PUBLIC KEY-----\n.+?-----END PUBLIC KEY-----\n/s.exec(text)?.[0] ?? '';

describe('dmr keygen', () => {
  const folder = temporaryFolder();
  const file = (name: string) => path.join(folder, name);

  it('makes a pair that an agent and CentOps take, and prints no secret', async () => {
    const out = file('pair.pem');
    const { code, out: text, err } = await runDmr(['keygen', '--out', out, '--id', ID]);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(text).not.toMatch(PRIVATE);
    expect(text).toContain(`id: ${ID}\n`);
    const privateKeyPem = readFileSync(out, 'utf8');
    expect(statSync(out).mode & 0o777).toBe(0o600);
    const publicKeyPem = publicPemIn(text);
    expect(createPublicKey(importPrivateKey(privateKeyPem)).equals(createPublicKey(publicKeyPem))).toBe(true);
    const entry = { id: ID, name: 'Police', authentication_certificate: publicKeyPem };
    expect(readPage({ response: [entry] }).rejected).toEqual([]);
  });

  it.each(["it's.pem", 'key # "1".pem', 'a $HOME `b`.pem', 'back\\slash.pem'])(
    'prints a shell line that makes the environment of an agent, without the key: %s',
    async (name) => {
      const out = file(name);
      const { out: text } = await runDmr(['keygen', '--out', path.relative('', out), '--id', ID]);
      const lines = text.split('\n').filter((line) => line.includes('>> .env'));
      const cwd = mkdtempSync(file('agent-'));
      execFileSync('sh', ['-c', lines.join('\n')], { cwd });
      const envFile = path.join(cwd, '.env');
      expect(readFileSync(envFile, 'utf8')).not.toContain('PRIVATE KEY');
      const rest = {
        DMR_SERVER_WEBSOCKET_URL: 'http://localhost:8075',
        OUTGOING_MESSAGE_ENDPOINT: 'http://localhost:1',
      };
      const env = parse(readFileSync(envFile));
      expect(env.AGENT_PRIVATE_KEY_FILE).toBe(out); // not from where somebody happens to stand
      const config = loadAgentConfig({ ...env, ...rest });
      const privateKeyPem = readFileSync(out, 'utf8');
      expect(config).toMatchObject({ agentId: ID, privateKeyPem });
      expect(loadKeyCheckConfig({ envFile }, {})).toMatchObject({ agentId: ID, privateKeyPem });
    },
  );

  it.each(['2048', '3072'])('makes a key of %s bits', async (bits) => {
    const out = file(`${bits}.pem`);
    expect((await runDmr(['keygen', '--out', out, '--bits', bits])).code).toBe(0);
    const { asymmetricKeyDetails } = importPrivateKey(readFileSync(out, 'utf8'));
    expect(asymmetricKeyDetails).toMatchObject({ modulusLength: Number(bits), publicExponent: 65537n });
  });

  it('never overwrites a file, nor what a link points to', async () => {
    const out = file('old.pem');
    writeFileSync(out, 'precious', { mode: 0o644 });
    const link = file('link.pem');
    execFileSync('ln', ['-s', file('nowhere.pem'), link]);
    for (const taken of [out, link]) {
      const { code, out: text, err } = await runDmr(['keygen', '--out', taken]);
      expect({ code, text }).toEqual({ code: 73, text: '' });
      expect(err).toContain('exists and is never overwritten');
    }
    expect(readFileSync(out, 'utf8')).toBe('precious');
    expect(existsSync(file('nowhere.pem'))).toBe(false);
  });

  it('says so when the file cannot be written', async () => {
    const { code, err } = await runDmr(['keygen', '--out', file('missing/key.pem')]);
    expect(code).toBe(73);
    expect(err).toContain('missing/key.pem, name a file that can');
  });

  it('prints the key only where it was asked for it, and nothing else there', async () => {
    const { code, out, err } = await runDmr(['keygen', '--out', '-']);
    expect(code).toBe(0);
    expect(out).toMatch(/^-----BEGIN PRIVATE KEY-----\n[\w+/=\n]+-----END PRIVATE KEY-----\n$/);
    expect(err).not.toMatch(PRIVATE);
    expect(createPublicKey(importPrivateKey(out)).equals(createPublicKey(publicPemIn(err)))).toBe(true);
  });

  it('answers programs with JSON', async () => {
    const out = file('json.pem');
    const { out: text } = await runDmr(['keygen', '--out', out, '--new-id', '--json']);
    const made = JSON.parse(text) as Record<string, unknown>;
    expect(made).toMatchObject({
      privateKeyFile: out,
      bits: 2048,
      agentId: expect.stringMatching(/^[\da-f-]{36}$/) as string,
    });
    expect(made.fingerprint).toMatch(/^SHA256:[\w+/]{43}=$/);
    expect(text).not.toContain('PRIVATE');
  });
});
