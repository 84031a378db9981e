import type * as Config from '../../../lib/config';
import { agentEnv, centOpsEnv, chatbotEnv, rsaPair, serverEnv, type Env } from './environments';

const { privateKey, publicKey } = rsaPair();

/** Runs with an environment of its own and a copy of the module that has read nothing yet. */
function withEnv(env: Env, test: (config: typeof Config) => void): void {
  const before = process.env;
  process.env = { ...env };
  try {
    jest.isolateModules(() => test(jest.requireActual<typeof Config>('../../../lib/config')));
  } finally {
    process.env = before;
  }
}

describe('the configuration of this process', () => {
  const getters = [
    'serverConfig',
    'agentConfig',
    'meshConfig',
    'centOpsStandInConfig',
    'chatbotStandInConfig',
  ] as const;
  const everything = { ...serverEnv(), ...agentEnv(privateKey), ...centOpsEnv(publicKey), ...chatbotEnv() };

  it.each(getters)('%s is read from the environment once', (getter) => {
    withEnv({ ...everything, LOGGER_FORMAT: 'json' }, (config) => {
      const first = config[getter]();
      expect(first.logger.format).toBe('json');
      process.env = {};
      expect(config[getter]()).toBe(first);
    });
  });

  it.each(getters)('%s refuses an environment that is wrong', (getter) => {
    withEnv({ ...everything, LOGGER_FORMAT: 'xml' }, (config) => {
      expect(() => config[getter]()).toThrow('LOGGER_FORMAT: wants auto or pretty or json, got "xml"');
    });
  });
});

describe('the role of this process', () => {
  it.each([
    [undefined, 'server'],
    ['', 'server'],
    ['server', 'server'],
    ['agent', 'agent'],
    ['centops', 'centops'],
    ['repl', 'repl'],
  ])('is, by DMR_ROLE=%s, %s', (DMR_ROLE, role) => {
    withEnv({ DMR_ROLE }, (config) => expect(config.nodeRole()).toBe(role));
  });

  it('is one of four', () => {
    withEnv({ DMR_ROLE: 'gateway' }, (config) => {
      expect(() => config.nodeRole()).toThrow(
        'DMR_ROLE: wants server or agent or repl or centops or chatbot, got "gateway"',
      );
    });
  });
});
