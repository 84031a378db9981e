import { ConfigError, loadAgentConfig, loadServerConfig } from '../../../lib/config';
import type { Variable } from '../../../lib/config/variable';
import { VARIABLES } from '../../../lib/config/variables';
import { agentEnv, rsaPair, serverEnv, type Env } from './environments';

function messageOf(load: () => unknown): string {
  try {
    load();
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('Loaded what it should have refused.');
}

const server = (changes: Env) => messageOf(() => loadServerConfig(serverEnv(changes)));
const agent = (pem: string) => messageOf(() => loadAgentConfig(agentEnv(pem)));

describe('a configuration error', () => {
  it('names the variable, what it wants and what it got', () => {
    expect(server({ RABBITMQ_DEFAULT_PORT: 'abc' })).toBe(
      'RABBITMQ_DEFAULT_PORT: wants a whole number from 1 to 65535, got "abc"',
    );
  });

  it('has a stable code and the name of the variable', () => {
    const error = new ConfigError('PORT', 'a port', { text: 'x' });
    expect(error).toMatchObject({ name: 'ConfigError', code: 'CONFIG_INVALID', variable: 'PORT' });
  });

  it('cuts a long value after 40 characters', () => {
    expect(server({ PORT: 'x'.repeat(40) })).toMatch(new RegExp(`, got "x{40}"$`));
    expect(server({ PORT: 'x'.repeat(41) })).toMatch(new RegExp(`, got "x{40}…"$`));
  });

  it('stays on one line', () => {
    expect(server({ PORT: 'a\nb\r\nc' })).toMatch(/, got "a\\nb\\r\\nc"$/);
  });

  it('never shows the private key', () => {
    const { privateKey } = rsaPair();
    const damaged = privateKey.slice(0, 400);
    const message = agent(damaged);
    expect(message).toMatch(/^AGENT_PRIVATE_KEY: wants an RSA private key .+, got a secret that is not shown$/);
    for (const line of damaged.trim().split('\n')) expect(message).not.toContain(line);
  });

  it.each([
    'http://dmr:hunter2@centops.test',
    'ftp://dmr:hunter2@centops.test',
    'ftp://dmr:hunter2/x@centops.test',
    'dmr:hunter2@centops.test',
  ])('never shows the password in %s', (url) => {
    const message = server({ CENTOPS_CONFIGURATION_URL: url });
    expect(message).toMatch(/, got "\*\*\*@centops\.test"$/);
  });
});

describe('the secrets', () => {
  it('are marked as such in the table', () => {
    const secrets = Object.values(VARIABLES).flatMap((variables) =>
      Object.entries<Variable>(variables).flatMap(([name, { secret }]) => (secret ? name : [])),
    );
    expect(new Set(secrets)).toEqual(
      new Set([
        'RABBITMQ_DEFAULT_PASS',
        'OTEL_EXPORTER_OTLP_HEADERS',
        'CENTOPS_CONFIGURATION_API_KEY',
        'CENTOPS_CONFIGURATION_API_SECRET',
        'AGENT_PRIVATE_KEY',
        'AGENT_PRIVATE_KEY_PREVIOUS',
      ]),
    );
  });
});
