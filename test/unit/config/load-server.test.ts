import { loadMeshConfig, loadServerConfig } from '../../../lib/config';
import { serverEnv, type Env } from './environments';

const DEFAULTS = {
  environment: 'development',
  logger: { colors: true, level: 'info', format: 'auto' },
  tracing: undefined,
  port: 8075,
  metricsPort: undefined,
  socket: {
    namespace: '/v1/dmr-agent-events',
    maxDisconnectionMs: 120000,
    tokenMaxAgeMs: 86400000,
    listGraceMs: 200,
    pingIntervalMs: 10000,
    pingTimeoutMs: 8000,
    loginTimeoutMs: 10000,
    maxStrangers: 1000,
    drainTimeoutMs: 15000,
  },
  limits: { perSecond: 2000, inFlight: 1000, nodeInFlight: 600, messageBytes: 1000000, failuresPerSecond: 10 },
  amqp: {
    hosts: [{ host: 'rabbit.test', port: 5672 }],
    user: 'dmr',
    password: 'broker-password',
    vhost: '/',
    heartbeatS: 5,
    tls: undefined,
    reconnectMaxMs: 5000,
  },
  ttl: { agentTtlMs: 300000, dlqTtlMs: 86400000, validationFailuresTtlMs: 86400000 },
  delivery: { ackTimeoutMs: 2000, maxTries: 10, retryDelayMs: 1000, retryDelayMaxMs: 30000, prefetch: 50 },
  confirmTimeoutMs: 1500,
  centOps: {
    url: 'http://centops.test/agents',
    cron: '*/30 * * * *',
    removeAfterMs: 60000,
    apiKey: undefined,
    apiSecret: undefined,
  },
  retireAfterMs: 86400000,
  dlqMonitorIntervalMs: 30000,
  trailSize: 20000,
};

const OTHERS: Env = {
  PORT: '0',
  METRICS_PORT: '98',
  ENVIRONMENT: 'production',
  LOGGER_COLORS: 'false',
  LOGGER_LOG_LEVELS: 'error',
  LOGGER_FORMAT: 'json',
  OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector.test:4318',
  OTEL_SERVICE_NAME: 'node-1',
  WEB_SOCKET_NAMESPACE: '/v2/other',
  WEB_SOCKET_MAX_DISCONNECTION_DURATION: '101',
  AGENT_TOKEN_MAX_AGE: '102',
  AGENT_LIST_GRACE_MS: '103',
  CENTOPS_CONFIGURATION_URL: 'https://other.test/list',
  CENTOPS_CONFIGURATION_CRON_TIME: '*/5 * * * * *',
  CENTOPS_REMOVE_AFTER_MS: '99',
  CENTOPS_CONFIGURATION_API_KEY: 'the-key',
  CENTOPS_CONFIGURATION_API_SECRET: 'the-secret',
  RABBITMQ_DEFAULT_HOST: '10.0.0.7, [::1]:99',
  RABBITMQ_DEFAULT_PORT: '104',
  RABBITMQ_DEFAULT_USER: 'somebody',
  RABBITMQ_DEFAULT_PASS: ' spaces stay ',
  RABBITMQ_DEFAULT_VHOST: 'rooms',
  RABBITMQ_DEFAULT_HEARTBEAT: '117',
  RABBITMQ_DEFAULT_TLS: 'on',
  RABBITMQ_DEFAULT_MANAGEMENT_UI_URI: 'http://10.0.0.7:15672',
  RABBITMQ_DEFAULT_DEFAULT_RECONNECT_INTERVAL: '105',
  RABBITMQ_DEFAULT_TTL: '106',
  RABBITMQ_DEFAULT_DLQ_TTL: '107',
  RABBITMQ_VALIDATION_FAILURES_TTL: '108',
  RETIRE_AFTER: '109',
  DLQ_MONITOR_INTERVAL_MS: '110',
  MESSAGE_TRAIL_SIZE: '133',
  CONFIRM_TIMEOUT_MS: '111',
  MESSAGE_DELIVERY_TIMEOUT_MS: '112',
  MESSAGE_DELIVERY_MAX_TRIES: '113',
  MESSAGE_RETRY_DELAY_MS: '114',
  MESSAGE_RETRY_DELAY_MAX_MS: '115',
  AGENT_PREFETCH: '116',
  WEB_SOCKET_PING_INTERVAL_MS: '117',
  WEB_SOCKET_PING_TIMEOUT_MS: '118',
  WEB_SOCKET_LOGIN_TIMEOUT_MS: '119',
  WEB_SOCKET_MAX_STRANGERS: '120',
  DRAIN_TIMEOUT_MS: '121',
  AGENT_RATE_LIMIT: '122',
  AGENT_MAX_IN_FLIGHT: '123',
  NODE_MAX_IN_FLIGHT: '126',
  MESSAGE_MAX_BYTES: '1240',
  VALIDATION_FAILURES_RATE_LIMIT: '125',
};

const AMQP = {
  hosts: [
    { host: '10.0.0.7', port: 104 },
    { host: '::1', port: 99 },
  ],
  user: 'somebody',
  password: ' spaces stay ',
  vhost: 'rooms',
  heartbeatS: 117,
  tls: { cert: undefined, key: undefined },
  reconnectMaxMs: 105,
};

describe('the configuration of a server', () => {
  it('applies every default', () => {
    expect(loadServerConfig(serverEnv())).toStrictEqual(DEFAULTS);
  });

  it('takes an empty variable for a missing one', () => {
    const empty = Object.fromEntries(Object.keys(OTHERS).map((name) => [name, '']));
    expect(loadServerConfig({ ...empty, ...serverEnv() })).toStrictEqual(DEFAULTS);
  });

  it('puts every variable into its field', () => {
    expect(loadServerConfig(OTHERS)).toStrictEqual({
      environment: 'production',
      logger: { colors: false, level: 'error', format: 'json' },
      tracing: {
        url: 'http://collector.test:4318/v1/traces',
        headers: {},
        compression: 'none',
        tls: { ca: undefined, cert: undefined, key: undefined },
        timeoutMs: 10_000,
        intervalMs: 5000,
        ratio: 1,
        serviceName: 'node-1',
      },
      port: 0,
      metricsPort: 98,
      socket: {
        namespace: '/v2/other',
        maxDisconnectionMs: 101,
        tokenMaxAgeMs: 102,
        listGraceMs: 103,
        pingIntervalMs: 117,
        pingTimeoutMs: 118,
        loginTimeoutMs: 119,
        maxStrangers: 120,
        drainTimeoutMs: 121,
      },
      limits: { perSecond: 122, inFlight: 123, nodeInFlight: 126, messageBytes: 1240, failuresPerSecond: 125 },
      amqp: AMQP,
      ttl: { agentTtlMs: 106, dlqTtlMs: 107, validationFailuresTtlMs: 108 },
      delivery: { ackTimeoutMs: 112, maxTries: 113, retryDelayMs: 114, retryDelayMaxMs: 115, prefetch: 116 },
      confirmTimeoutMs: 111,
      centOps: {
        url: 'https://other.test/list',
        cron: '*/5 * * * * *',
        removeAfterMs: 99,
        apiKey: 'the-key',
        apiSecret: 'the-secret',
      },
      retireAfterMs: 109,
      dlqMonitorIntervalMs: 110,
      trailSize: 133,
    });
  });

  it.each(Object.keys(serverEnv()))('wants %s', (name) => {
    for (const nothing of [undefined, '']) {
      expect(() => loadServerConfig(serverEnv({ [name]: nothing }))).toThrow(
        new RegExp(`^${name}: wants .+, got nothing$`),
      );
    }
  });
});

describe('the configuration of the mesh', () => {
  it('is the logger and RabbitMQ, and needs nothing else', () => {
    const env = Object.fromEntries(Object.entries(OTHERS).filter(([name]) => /^(LOGGER|RABBITMQ)/.test(name)));
    const logger = { colors: false, level: 'error', format: 'json' };
    expect(loadMeshConfig(env)).toStrictEqual({ environment: 'development', logger, amqp: AMQP });
  });

  it('wants RabbitMQ', () => {
    expect(() => loadMeshConfig({})).toThrow(/^RABBITMQ_DEFAULT_HOST: wants .*host names.*, got nothing$/);
  });
});
