import path from 'node:path';
import { createPrivateKey } from 'node:crypto';
import { loadAgentConfig } from '../../../lib/config';
import { AGENT_A, AGENT_B, agentEnv, rsaPair } from './environments';

const { privateKey } = rsaPair();

describe('the configuration of an agent', () => {
  it('applies every default', () => {
    expect(loadAgentConfig(agentEnv(privateKey))).toStrictEqual({
      apiDocs: true,
      environment: 'development',
      logger: { colors: true, level: 'info', format: 'auto' },
      tracing: undefined,
      port: 8077,
      metricsPort: undefined,
      dataDir: path.resolve('data/agent'),
      agentId: AGENT_A,
      privateKeyPem: privateKey,
      previousPrivateKeyPem: undefined,
      keyOverlapMs: 600000,
      uplink: {
        urls: ['http://server.test:8075'],
        namespace: '/v1/dmr-agent-events',
        reconnectDelayMs: 1000,
        reconnectDelayMaxMs: 5000,
      },
      deliveryTimeoutMs: 2000,
      outbox: { maxMessages: 10_000, maxAgeMs: 86_400_000 },
      chatbot: { endpoint: 'http://chatbot.test/messages', timeoutMs: 10000, retryMs: 80000 },
      duplicateWindowMs: 90300000,
      messageBinding: 'prefer',
    });
  });

  it('puts every variable into its field', () => {
    const env = agentEnv(privateKey, {
      PORT: '0',
      METRICS_PORT: '98',
      AGENT_ID: AGENT_B,
      DMR_SERVER_WEBSOCKET_URL: 'wss://other.test/,http://b.test:1',
      DMR_SERVER_WEBSOCKET_NAMESPACE: '/v2/other',
      WEBSOCKET_RECONNECTION_DELAY: '101',
      WEBSOCKET_RECONNECTION_DELAY_MAX: '102',
      MESSAGE_DELIVERY_TIMEOUT_MS: '103',
      OUTBOX_MAX_MESSAGES: '105',
      OUTBOX_MAX_AGE_MS: '106',
      OUTGOING_MESSAGE_ENDPOINT: 'https://bot.test/in?room=1',
      OUTGOING_MESSAGE_TIMEOUT_MS: '104',
      OUTGOING_MESSAGE_RETRY_MS: '105',
      DUPLICATE_WINDOW_MS: '106',
      KEY_OVERLAP_MS: '0',
      AGENT_PRIVATE_KEY_PREVIOUS: privateKey,
      AGENT_DATA_DIR: '/var/lib/agent/../dmr',
      MESSAGE_BINDING: 'require',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector.test/otlp/?x=1',
      OTEL_EXPORTER_OTLP_HEADERS: 'api-key=a%20b',
      OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
      OTEL_EXPORTER_OTLP_TIMEOUT: '107',
      OTEL_BSP_SCHEDULE_DELAY: '108',
      OTEL_TRACES_SAMPLER_ARG: '0.5',
    });
    expect(loadAgentConfig(env)).toMatchObject({
      tracing: {
        url: 'https://collector.test/otlp/v1/traces?x=1',
        headers: { 'api-key': 'a b' },
        compression: 'gzip',
        tls: { ca: undefined, cert: undefined, key: undefined },
        timeoutMs: 107,
        intervalMs: 108,
        ratio: 0.5,
        serviceName: 'dmr-agent',
      },
      port: 0,
      metricsPort: 98,
      agentId: AGENT_B,
      uplink: {
        urls: ['wss://other.test', 'http://b.test:1'],
        namespace: '/v2/other',
        reconnectDelayMs: 101,
        reconnectDelayMaxMs: 102,
      },
      deliveryTimeoutMs: 103,
      outbox: { maxMessages: 105, maxAgeMs: 106 },
      chatbot: { endpoint: 'https://bot.test/in?room=1', timeoutMs: 104, retryMs: 105 },
      duplicateWindowMs: 106,
      keyOverlapMs: 0,
      previousPrivateKeyPem: privateKey,
      dataDir: '/var/lib/dmr',
      messageBinding: 'require',
    });
  });

  it.each(Object.keys(agentEnv('')))('wants %s', (name) => {
    expect(() => loadAgentConfig(agentEnv(privateKey, { [name]: '' }))).toThrow(
      new RegExp(`^${name}: wants .+, got nothing$`),
    );
  });
});

describe('the private key', () => {
  it.each(['pkcs8', 'pkcs1'] as const)('may be %s', (type) => {
    const pem = rsaPair(type).privateKey;
    expect(loadAgentConfig(agentEnv(pem)).privateKeyPem).toBe(pem);
  });

  it.each([
    ['literal \\n pairs', privateKey.replaceAll('\n', '\\n')],
    ['literal \\r\\n', privateKey.replaceAll('\n', '\\r\\n')],
    ['line breaks of Windows', privateKey.replaceAll('\n', '\r\n')],
    ['indented lines', privateKey.replaceAll(/^/gm, '    ')],
    ['no line break at the end', privateKey.trimEnd()],
  ])('with %s comes out with real line breaks', (_, written) => {
    const { privateKeyPem } = loadAgentConfig(agentEnv(written));
    expect(privateKeyPem).toBe(privateKey);
    expect(createPrivateKey(privateKeyPem).asymmetricKeyType).toBe('rsa');
  });
});
