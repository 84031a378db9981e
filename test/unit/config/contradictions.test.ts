import {
  loadAgentConfig,
  loadCentOpsStandInConfig,
  loadChatbotStandInConfig,
  loadServerConfig,
} from '../../../lib/config';
import { AGENT_A, AGENT_B, agentEnv, centOpsEnv, chatbotEnv, rsaPair, serverEnv, type Env } from './environments';

const { privateKey, publicKey } = rsaPair();

const server = (changes: Env) => () => loadServerConfig(serverEnv(changes));
const agent = (changes: Env) => () => loadAgentConfig(agentEnv(privateKey, changes));
const centOps = (changes: Env) => () => loadCentOpsStandInConfig(centOpsEnv(publicKey, changes));
const chatbot = (changes: Env) => () => loadChatbotStandInConfig(chatbotEnv(changes));

describe('a server', () => {
  it('wants the API secret with the API key, and the key with the secret', () => {
    expect(server({ CENTOPS_CONFIGURATION_API_KEY: 'key-of-ours' })).toThrow(
      'CENTOPS_CONFIGURATION_API_SECRET: wants an API secret, as CENTOPS_CONFIGURATION_API_KEY is set, got nothing',
    );
    expect(server({ CENTOPS_CONFIGURATION_API_KEY: '', CENTOPS_CONFIGURATION_API_SECRET: 'secret-of-ours' })).toThrow(
      'CENTOPS_CONFIGURATION_API_KEY: wants an API key, as CENTOPS_CONFIGURATION_API_SECRET is set, got nothing',
    );
    expect(server({ CENTOPS_CONFIGURATION_API_KEY: 'k', CENTOPS_CONFIGURATION_API_SECRET: 's' })).not.toThrow();
  });

  it('wants the first wait between tries within the longest', () => {
    expect(server({ MESSAGE_RETRY_DELAY_MS: '30000' })).not.toThrow();
    expect(server({ MESSAGE_RETRY_DELAY_MS: '30001' })).toThrow(
      'MESSAGE_RETRY_DELAY_MS: wants at most MESSAGE_RETRY_DELAY_MAX_MS (30000), got "30001"',
    );
    expect(server({ MESSAGE_RETRY_DELAY_MAX_MS: '999' })).toThrow(
      'MESSAGE_RETRY_DELAY_MS: wants at most MESSAGE_RETRY_DELAY_MAX_MS (999), got "1000"',
    );
  });

  it('has no stand-in in production', () => {
    expect(server({ MSW_ENABLED: 'true' })).not.toThrow();
    expect(server({ MSW_ENABLED: 'false', ENVIRONMENT: 'production' })).not.toThrow();
    expect(server({ MSW_ENABLED: 'true', ENVIRONMENT: 'production' })).toThrow(
      'MSW_ENABLED: wants false where ENVIRONMENT is production, got "true"',
    );
  });
});

describe('an agent', () => {
  it('wants the first wait before a reconnect within the longest', () => {
    expect(agent({ WEBSOCKET_RECONNECTION_DELAY: '5000' })).not.toThrow();
    expect(agent({ WEBSOCKET_RECONNECTION_DELAY: '5001' })).toThrow(
      'WEBSOCKET_RECONNECTION_DELAY: wants at most WEBSOCKET_RECONNECTION_DELAY_MAX (5000), got "5001"',
    );
  });
});

describe('a node with metrics', () => {
  it.each([
    ['server', server],
    ['agent', agent],
  ])('wants a port of their own for them: %s', (_role, load) => {
    expect(load({ PORT: '8075', METRICS_PORT: '9464' })().metricsPort).toBe(9464);
    expect(load({ PORT: '8075' })().metricsPort).toBeUndefined();
    expect(load({ PORT: '0', METRICS_PORT: '0' })().metricsPort).toBe(0);
    expect(load({ PORT: '9464', METRICS_PORT: '9464' })).toThrow(
      'METRICS_PORT: wants another port than PORT (9464), got "9464"',
    );
  });
});

describe('a stand-in', () => {
  it('never runs in production', () => {
    expect(centOps({ ENVIRONMENT: 'production' })).toThrow('ENVIRONMENT: wants development');
    expect(centOps({ ENVIRONMENT: 'production', MSW_ENABLED: 'true' })).toThrow('MSW_ENABLED: wants false');
    expect(chatbot({ ENVIRONMENT: 'production' })).toThrow('ENVIRONMENT: wants development');
  });

  it('of CentOps has two different agents', () => {
    const refusal = 'MOCK_DMR_AGENT_B_ID: wants another UUID than MOCK_DMR_AGENT_A_ID';
    expect(centOps({ MOCK_DMR_AGENT_B_ID: AGENT_A.toUpperCase() })).toThrow(refusal);
    expect(centOps({ MOCK_DMR_AGENT_A_ID: AGENT_B.toUpperCase() })).toThrow(refusal);
  });
});
