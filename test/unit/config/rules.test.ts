import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { isOwnPrivateKey } from '../../../lib/config/formats';
import type { Variables } from '../../../lib/config/variable';
import { VARIABLES, type VariableRole } from '../../../lib/config/variables';
import { CERTIFICATE, rsaPair } from './environments';

const TIMER = 2147483647;
const TTL = 4294967295;

function parse(role: VariableRole, name: string, text: string): unknown {
  const variable = (VARIABLES[role] as Variables)[name];
  if (!variable) throw new Error(`${role} has no ${name}`);
  return variable.rule.parse(text);
}

type Range = [VariableRole, string, number, number];

const NUMBERS: Range[] = [
  ['server', 'PORT', 0, 65535],
  ['server', 'METRICS_PORT', 0, 65535],
  ['server', 'WEB_SOCKET_MAX_DISCONNECTION_DURATION', 0, TIMER],
  ['server', 'AGENT_TOKEN_MAX_AGE', 1, TIMER],
  ['server', 'AGENT_LIST_GRACE_MS', 0, TIMER],
  ['server', 'RABBITMQ_DEFAULT_PORT', 1, 65535],
  ['server', 'RABBITMQ_DEFAULT_HEARTBEAT', 1, 3600],
  ['server', 'RABBITMQ_DEFAULT_DEFAULT_RECONNECT_INTERVAL', 1, TIMER],
  ['server', 'RABBITMQ_DEFAULT_TTL', 1, TTL],
  ['server', 'RABBITMQ_DEFAULT_DLQ_TTL', 1, TTL],
  ['server', 'RABBITMQ_VALIDATION_FAILURES_TTL', 1, TTL],
  ['server', 'CENTOPS_REMOVE_AFTER_MS', 0, TIMER],
  ['server', 'RETIRE_AFTER', 1, TIMER],
  ['server', 'DLQ_MONITOR_INTERVAL_MS', 1, TIMER],
  ['server', 'MESSAGE_TRAIL_SIZE', 0, 10_000_000],
  ['server', 'CONFIRM_TIMEOUT_MS', 1, TIMER],
  ['server', 'MESSAGE_DELIVERY_TIMEOUT_MS', 1, TIMER],
  ['server', 'MESSAGE_DELIVERY_MAX_TRIES', 1, 1000],
  ['server', 'MESSAGE_RETRY_DELAY_MS', 1, TIMER],
  ['server', 'MESSAGE_RETRY_DELAY_MAX_MS', 1, TIMER],
  ['server', 'AGENT_PREFETCH', 1, 65535],
  ['server', 'WEB_SOCKET_PING_INTERVAL_MS', 1, TIMER],
  ['server', 'WEB_SOCKET_PING_TIMEOUT_MS', 1, TIMER],
  ['server', 'WEB_SOCKET_LOGIN_TIMEOUT_MS', 1, TIMER],
  ['server', 'WEB_SOCKET_MAX_STRANGERS', 1, 65535],
  ['server', 'DRAIN_TIMEOUT_MS', 0, TIMER],
  ['server', 'AGENT_RATE_LIMIT', 0, 1_000_000],
  ['server', 'AGENT_MAX_IN_FLIGHT', 1, 1_000_000],
  ['server', 'NODE_MAX_IN_FLIGHT', 1, 1_000_000],
  ['server', 'MESSAGE_MAX_BYTES', 1000, 15_000_000],
  ['server', 'VALIDATION_FAILURES_RATE_LIMIT', 1, 1_000_000],
  ['agent', 'PORT', 0, 65535],
  ['agent', 'METRICS_PORT', 0, 65535],
  ['agent', 'WEBSOCKET_RECONNECTION_DELAY', 1, TIMER],
  ['agent', 'WEBSOCKET_RECONNECTION_DELAY_MAX', 1, TIMER],
  ['agent', 'MESSAGE_DELIVERY_TIMEOUT_MS', 1, TIMER],
  ['agent', 'OUTBOX_MAX_MESSAGES', 1, 1_000_000],
  ['agent', 'OUTBOX_MAX_AGE_MS', 1, TIMER],
  ['agent', 'OUTGOING_MESSAGE_TIMEOUT_MS', 1, TIMER],
  ['agent', 'OUTGOING_MESSAGE_RETRY_MS', 0, TIMER],
  ['agent', 'DUPLICATE_WINDOW_MS', 1, TIMER],
  ['agent', 'KEY_OVERLAP_MS', 0, TIMER],
  ...(['server', 'agent'] as const).flatMap((role): Range[] => [
    [role, 'OTEL_EXPORTER_OTLP_TIMEOUT', 1, TIMER],
    [role, 'OTEL_BSP_SCHEDULE_DELAY', 1, TIMER],
  ]),
  ['centops', 'PORT', 0, 65535],
  ['chatbot', 'PORT', 0, 65535],
];

describe('numbers', () => {
  it.each(NUMBERS)('%s %s goes from %d to %d', (role, name, min, max) => {
    expect(parse(role, name, String(min))).toBe(min);
    expect(parse(role, name, ` ${max}\n`)).toBe(max);
    const refused = [min - 1, max + 1, '1.5', '1e3', '0x10', '+1', '5s', 'abc', ' '];
    for (const text of refused) expect([text, parse(role, name, String(text))]).toEqual([text, undefined]);
  });

  it('are all listed here', () => {
    const listed = NUMBERS.map(([role, name]) => `${role} ${name}`);
    for (const role of ['server', 'agent', 'centops', 'chatbot'] as const) {
      for (const [name, { rule }] of Object.entries<Variables[string]>(VARIABLES[role])) {
        if (rule.wants.includes('whole number')) expect(listed).toContain(`${role} ${name}`);
      }
    }
  });
});

type Case = [VariableRole, string, { takes: [string, unknown][]; refuses: string[] }];

const CASES: Case[] = [
  [
    'process',
    'DMR_ROLE',
    {
      takes: ['server', 'agent', 'repl', 'centops', 'chatbot'].map((role) => [role, role]),
      refuses: ['servers', 'gateway', 'server,agent'],
    },
  ],
  [
    'server',
    'ENVIRONMENT',
    {
      takes: [
        ['development', 'development'],
        ['Production', 'production'],
      ],
      refuses: ['prod', 'test'],
    },
  ],
  [
    'server',
    'LOGGER_COLORS',
    {
      takes: [
        ['true', true],
        ['FALSE', false],
        ['1', true],
        ['0', false],
      ],
      refuses: ['yes', '2', 'truee'],
    },
  ],
  [
    'server',
    'LOGGER_FORMAT',
    {
      takes: [
        ['json', 'json'],
        ['pretty', 'pretty'],
        ['auto', 'auto'],
      ],
      refuses: ['text', 'json,pretty'],
    },
  ],
  [
    'server',
    'LOGGER_LOG_LEVELS',
    {
      takes: [
        ['error', 'error'],
        ['warn,error', 'warn'],
        ['error, log', 'info'],
        ['DEBUG,error', 'debug'],
        ['verbose,debug,log,warn,error', 'trace'],
      ],
      refuses: ['info', 'error,', 'error warn', 'all'],
    },
  ],
  [
    'server',
    'WEB_SOCKET_NAMESPACE',
    {
      takes: [
        ['/a', '/a'],
        ['/v1/x', '/v1/x'],
      ],
      refuses: ['/', 'v1/x', '/a/', '/a,b', '/a?b', '/a b'],
    },
  ],
  [
    'server',
    'CENTOPS_CONFIGURATION_URL',
    {
      takes: [
        ['http://a', 'http://a'],
        [' https://a.b:8443/c?d=e\n', 'https://a.b:8443/c?d=e'],
      ],
      refuses: [
        ...['ftp://a', 'a/b', 'http://', 'http://a b', 'http://[', 'http://a:99999', 'http://a/b c'],
        ...['https://user:password@a', 'https://user@a', 'https://:password@a'],
      ],
    },
  ],
  [
    'server',
    'CENTOPS_CONFIGURATION_CRON_TIME',
    {
      takes: ['*/30 * * * *', '*/5 * * * * *', '0 0 L * *', '0 0 29 2 *'].map((pattern) => [pattern, pattern]),
      refuses: ['* * * *', '* * * * * * *', '@daily', '61 * * * *', '0 0 30 2 *', 'a b c d e', '2030-01-01T00:00:00'],
    },
  ],
  [
    'server',
    'RABBITMQ_DEFAULT_MANAGEMENT_UI_URI',
    { takes: [['http://rabbit:15672', 'http://rabbit:15672']], refuses: ['rabbit:15672', 'amqp://rabbit'] },
  ],
  [
    'agent',
    'DMR_SERVER_WEBSOCKET_URL',
    {
      takes: [
        ['http://a', ['http://a']],
        ['https://a:1/', ['https://a:1']],
        ['ws://a', ['ws://a']],
        ['wss://a', ['wss://a']],
        ['http://a, wss://b:2/ ,http://[::1]:3', ['http://a', 'wss://b:2', 'http://[::1]:3']],
      ],
      refuses: [
        ...['a:8075', 'http://a/v1/dmr-agent-events', 'http://a//', 'http://a?b', 'amqp://a', 'http://[', 'ws://'],
        ...['http://a,', ',http://a', 'http://a http://b', 'http://a,b', 'http://a,,http://b'],
      ],
    },
  ],
  [
    'agent',
    'AGENT_ID',
    {
      takes: [
        ['4f0e8c1a-3b52-4c7e-9d11-6a5b8f2d7c01', '4f0e8c1a-3b52-4c7e-9d11-6a5b8f2d7c01'],
        ['4F0E8C1A-3B52-4C7E-9D11-6A5B8F2D7C01\n', '4F0E8C1A-3B52-4C7E-9D11-6A5B8F2D7C01'],
      ],
      refuses: ['agent-a', '4f0e8c1a3b524c7e9d116a5b8f2d7c01', '4f0e8c1a-3b52-4c7e-9d11-6a5b8f2d7c0'],
    },
  ],
  [
    'agent',
    'MESSAGE_BINDING',
    {
      takes: [
        ['prefer', 'prefer'],
        ['require', 'require'],
      ],
      refuses: ['off', 'required'],
    },
  ],
  [
    'agent',
    'OTEL_TRACES_SAMPLER_ARG',
    {
      takes: [
        ['0', 0],
        ['0.25', 0.25],
        ['1', 1],
      ],
      refuses: ['1.1', '-0.1', '.5', '50%', '1e-3'],
    },
  ],
  [
    'server',
    'OTEL_EXPORTER_OTLP_HEADERS',
    {
      takes: [
        ['api-key=abc', { 'api-key': 'abc' }],
        ['Authorization=Basic%20YTpi, x=1', { Authorization: 'Basic YTpi', x: '1' }],
        ['x=a=b,y=', { x: 'a=b', y: '' }],
      ],
      refuses: ['api-key', 'a b=c', '=x', 'x=1,', 'x=%zz', 'x=%0d%0aevil:1', 'x=\u00e4'],
    },
  ],
  [
    'agent',
    'OTEL_EXPORTER_OTLP_ENDPOINT',
    { takes: [['http://a:4318', 'http://a:4318']], refuses: ['a:4318', 'grpc://a', 'https://user:secret@a'] },
  ],
  [
    'chatbot',
    'CHATBOT_AGENT_URL',
    { takes: [['http://a/b//', 'http://a/b']], refuses: ['a', 'ws://a', 'http://a?b', 'http://a#b', 'http://['] },
  ],
];

describe.each(CASES)('%s %s', (role, name, { takes, refuses }) => {
  it.each(takes)('takes %j as %j', (text, value) => expect(parse(role, name, text)).toStrictEqual(value));
  it.each(refuses)('refuses %j', (text) => expect(parse(role, name, text)).toBeUndefined());
});

describe('keys', () => {
  const { privateKey, publicKey } = rsaPair();
  const short = rsaPair('pkcs8', 1024);
  const curve = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });

  it.each([
    ['a public key', publicKey],
    ['a short key', short.privateKey],
    ['a key of another algorithm', curve.privateKey],
    ['a truncated key', privateKey.slice(0, 600) + privateKey.slice(-60)],
    ['a key without line breaks', privateKey.replaceAll('\n', ' ')],
    ['a key without its first line', privateKey.slice(privateKey.indexOf('\n'))],
    ['any text', 'secret'],
  ])('%s is not the private key of an agent', (_, pem) => {
    expect(parse('agent', 'AGENT_PRIVATE_KEY', pem)).toBeUndefined();
  });

  const signOnly = generateKeyPairSync('rsa-pss', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });

  it('is private only when its owner can sign with it', () => {
    expect(isOwnPrivateKey(privateKey)).toBe(true);
    expect(isOwnPrivateKey(publicKey)).toBe(false);
  });

  it.each([
    ['SPKI', publicKey],
    ['PKCS#1', createPublicKey(publicKey).export({ type: 'pkcs1', format: 'pem' }).toString()],
    ['X.509', CERTIFICATE],
  ])('a public key may be %s', (_, pem) => {
    expect(parse('centops', 'MOCK_DMR_AGENT_A_PUBLIC_KEY', pem)).toBe(pem);
  });

  it.each([
    ['a private key', privateKey],
    ['a short key', short.publicKey],
    ['a key of another algorithm', curve.publicKey],
    ['a key that can sign but not seal', signOnly.publicKey],
    ['a truncated key', publicKey.slice(0, 200) + publicKey.slice(-30)],
    ['any text', 'public'],
  ])('%s is not the public key of an agent', (_, pem) => {
    expect(parse('centops', 'MOCK_DMR_AGENT_A_PUBLIC_KEY', pem)).toBeUndefined();
  });
});
