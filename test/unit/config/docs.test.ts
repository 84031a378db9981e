import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'dotenv';
import { loadAgentConfig, loadServerConfig } from '../../../lib/config';
import { configDocs } from '../../../scripts/make-config-docs';
import { rsaPair } from './environments';

const onDisk = (path: string) => readFileSync(join(__dirname, '../../..', path), 'utf8');

describe('the documentation of the configuration', () => {
  it.each(Object.entries(configDocs()))('%s is up to date: npx tsx scripts/make-config-docs.ts', (path, text) => {
    expect(onDisk(path)).toBe(text);
  });

  it('is three files', () => {
    expect(Object.keys(configDocs())).toEqual([
      'services/server/.env.example',
      'services/agent/.env.example',
      'docs/configuration.md',
    ]);
  });
});

describe('an example, once the secrets are filled in', () => {
  /** The file with the variables that are commented out as well. */
  const everything = (path: string) => onDisk(path).replaceAll(/^# ([A-Z_]+=.+)$/gm, '$1');
  const forms = [
    ['as it is', onDisk],
    ['with every default written out', everything],
  ] as const;

  it.each(forms)('starts a server %s', (_, content) => {
    const env = parse(content('services/server/.env.example'));
    expect(() => loadServerConfig(env)).toThrow(
      'RABBITMQ_DEFAULT_PASS: wants a password without a zero byte, got nothing',
    );
    expect(loadServerConfig({ ...env, RABBITMQ_DEFAULT_PASS: 'x' })).toMatchObject({ port: 8075 });
  });

  it.each(forms)('starts an agent %s', (_, content) => {
    const env = parse(content('services/agent/.env.example'));
    expect(() => loadAgentConfig(env)).toThrow('AGENT_PRIVATE_KEY: wants an RSA private key');
    const { privateKey } = rsaPair();
    expect(loadAgentConfig({ ...env, AGENT_PRIVATE_KEY: privateKey })).toMatchObject({ port: 8077 });
  });
});
