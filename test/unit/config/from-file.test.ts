import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { loadAgentConfig, loadCentOpsStandInConfig, loadServerConfig } from '../../../lib/config';
import { temporaryFolder } from '../../helpers/temporary-folder';
import { agentEnv, centOpsEnv, rsaPair, serverEnv, type Env } from './environments';

const folder = temporaryFolder();

function fileWith(content: string, name = 'secret'): string {
  const file = path.join(folder, name);
  writeFileSync(file, content);
  return file;
}

const byFile = (file: string, more: Env = {}) =>
  loadServerConfig(serverEnv({ RABBITMQ_DEFAULT_PASS: undefined, RABBITMQ_DEFAULT_PASS_FILE: file, ...more }));

describe('a secret in a file', () => {
  it.each([
    ['as it is', 'p:a/s s '],
    ['without the line break that ends it', 'p:a/s s \n'],
    ['without a line break of Windows', 'p:a/s s \r\n'],
  ])('is read %s', (_, content) => {
    expect(byFile(fileWith(content)).amqp.password).toBe('p:a/s s ');
  });

  it('may be the key of an agent, with its own line breaks', () => {
    const { privateKey } = rsaPair();
    const env = agentEnv('', { AGENT_PRIVATE_KEY_FILE: fileWith(privateKey) });
    expect(loadAgentConfig(env).privateKeyPem).toBe(privateKey);
  });

  it('may be what is wanted only together with another', () => {
    const key = fileWith('key\n', 'key');
    expect(
      byFile(fileWith('x'), { CENTOPS_CONFIGURATION_API_KEY_FILE: key, CENTOPS_CONFIGURATION_API_SECRET: 's' }),
    ).toMatchObject({ centOps: { apiKey: 'key', apiSecret: 's' } });
    expect(() => byFile(fileWith('x'), { CENTOPS_CONFIGURATION_API_KEY_FILE: key })).toThrow(
      'CENTOPS_CONFIGURATION_API_SECRET: wants an API secret, as CENTOPS_CONFIGURATION_API_KEY is set, got nothing',
    );
  });

  it('is not asked for where the variable of the file is empty', () => {
    expect(byFile('', { RABBITMQ_DEFAULT_PASS: 'x' }).amqp.password).toBe('x');
  });

  it('contradicts the same secret in the environment', () => {
    const file = fileWith('x');
    expect(() => byFile(file, { RABBITMQ_DEFAULT_PASS: 'y' })).toThrow(
      /^RABBITMQ_DEFAULT_PASS_FILE: wants to be absent where RABBITMQ_DEFAULT_PASS is set, got a secret that is not shown$/,
    );
  });

  it.each([
    ['there is none', () => path.join(folder, 'none')],
    ['it is a folder', () => (mkdirSync(path.join(folder, 'd'), { recursive: true }), path.join(folder, 'd'))],
  ])('ends the start when %s', (_, file) => {
    expect(() => byFile(file())).toThrow(
      /^RABBITMQ_DEFAULT_PASS_FILE: wants a file that can be read, got a secret that is not shown$/,
    );
  });

  it('ends the start for a password that no login can carry', () => {
    const why = /^RABBITMQ_DEFAULT_PASS_FILE: wants a file that holds a password without a zero byte, got "/;
    expect(() => byFile(fileWith('a\0b'))).toThrow(why);
  });

  it('ends the start when the file is empty, even where the secret is optional', () => {
    const empty = fileWith('\n', 'empty');
    expect(() => byFile(empty)).toThrow(
      /^RABBITMQ_DEFAULT_PASS_FILE: wants a file that holds a password without a zero byte, got "/,
    );
    expect(() => loadServerConfig(serverEnv({ CENTOPS_CONFIGURATION_API_KEY_FILE: empty }))).toThrow(
      /^CENTOPS_CONFIGURATION_API_KEY_FILE: wants a file that holds an API key, got "/,
    );
  });

  it('is never shown: a damaged key is named by its file', () => {
    const damaged = rsaPair().privateKey.slice(0, 400);
    const file = fileWith(damaged, 'k');
    const load = () => loadAgentConfig(agentEnv('', { AGENT_PRIVATE_KEY_FILE: file }));
    expect(load).toThrow(/^AGENT_PRIVATE_KEY_FILE: wants a file that holds an RSA private key /);
    for (const line of damaged.trim().split('\n')) expect(load).not.toThrow(line);
  });
});

it('the public keys of the stand-in of CentOps may be in files', () => {
  const { publicKey } = rsaPair();
  const env = centOpsEnv(publicKey, {
    MOCK_DMR_AGENT_B_PUBLIC_KEY: undefined,
    MOCK_DMR_AGENT_B_PUBLIC_KEY_FILE: fileWith(publicKey, 'public.pem'),
  });
  expect(loadCentOpsStandInConfig(env).agents[1]?.publicKeyPem).toBe(publicKey);
});

it('what is no secret is not read from a file', () => {
  expect(loadServerConfig(serverEnv({ PORT_FILE: fileWith('1') })).port).toBe(8075);
});
