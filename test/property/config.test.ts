import fc from 'fast-check';
import { ConfigError, loadAgentConfig, loadServerConfig } from '../../lib/config';
import type { Variable } from '../../lib/config/variable';
import { VARIABLES } from '../../lib/config/variables';
import { agentEnv, rsaPair, serverEnv, type Env } from '../unit/config/environments';
import { anyText, edit, edited, runs } from './arbitraries';

const { privateKey } = rsaPair();
const SECRET = 'hunter2-c4n4ry';

const oddText = fc.oneof(
  { arbitrary: anyText, weight: 3 },
  { arbitrary: fc.integer().map(String), weight: 1 },
  fc.constantFrom(
    '',
    ' ',
    '0',
    '-1',
    '1e3',
    '99999999999999999999',
    'true',
    'TRUE',
    '* * * * *',
    '0 0 30 2 *',
    '/',
    '//',
  ),
  fc.webUrl(),
  fc.constantFrom('http://', 'http://[', 'ws://x:99999', `https://dmr:${SECRET}@host/`, `amqp://dmr:${SECRET}@host`),
);

/** The variables of a role that are set to something odd, of all that it has. */
const changes = (role: 'server' | 'agent') =>
  fc.dictionary(fc.constantFrom(...Object.keys(VARIABLES[role])), oddText, { minKeys: 1, maxKeys: 3 });

function loads(load: () => unknown, secrets: string[]): boolean {
  try {
    load();
    return true;
  } catch (error) {
    if (!(error instanceof ConfigError)) return false;
    return !error.message.includes('\n') && secrets.every((secret) => !error.message.includes(secret));
  }
}

describe('the configuration', () => {
  it('of a server loads or names one variable, whatever the environment holds', () => {
    const secrets = {
      RABBITMQ_DEFAULT_PASS: `${SECRET}-pass`,
      CENTOPS_CONFIGURATION_API_KEY: `${SECRET}-key`,
      CENTOPS_CONFIGURATION_API_SECRET: `${SECRET}-secret`,
    };
    fc.assert(
      fc.property(changes('server'), (env) =>
        loads(() => loadServerConfig(serverEnv({ ...secrets, ...env })), [SECRET]),
      ),
      runs(8000),
    );
  });

  it('of an agent loads or names one variable, and shows no line of the key', () => {
    const lines = privateKey.split('\n').filter((line) => /^[\w+/]{40}/.test(line));
    const damaged = edit.map((change) => edited(privateKey, change));
    fc.assert(
      fc.property(changes('agent'), fc.oneof(fc.constant(privateKey), damaged), (env: Env, pem) =>
        loads(() => loadAgentConfig(agentEnv(pem, env)), [SECRET, ...lines.map((line) => line.slice(0, 20))]),
      ),
      runs(500),
    );
  });

  it('shows no secret, whatever it is', () => {
    const secretNames = Object.entries<Variable>(VARIABLES.server).flatMap(([name, { secret }]) =>
      secret ? name : [],
    );
    const secret = fc.string({ unit: 'binary', maxLength: 20 }).map((end) => `${SECRET}${end}`);
    fc.assert(
      fc.property(secret, changes('server'), (value, env) => {
        const all = { ...env, ...Object.fromEntries(secretNames.map((name) => [name, value])) };
        return loads(() => loadServerConfig(serverEnv(all)), [SECRET]);
      }),
      runs(4000),
    );
  });
});
