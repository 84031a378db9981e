import { AMQP_VARIABLES, METRICS_PORT, NODE_VARIABLES } from './node-variables';
import { cron, flag, lifetime, milliseconds, namespace, requestUrl, text, whole } from './rules';
import { tracingVariables } from './tracing-variables';
import type { Variables } from './variable';

const SOCKET_VARIABLES = {
  WEB_SOCKET_NAMESPACE: {
    doc: 'Socket.IO namespace of the agents.',
    rule: namespace(),
    default: '/v1/dmr-agent-events',
  },
  WEB_SOCKET_MAX_DISCONNECTION_DURATION: {
    doc: 'How long a lost connection can be recovered with its state, ms.',
    rule: milliseconds(0),
    default: '120000',
  },
  AGENT_TOKEN_MAX_AGE: {
    doc: "How long an agent's token is accepted from its `iat` on, ms; 60000 where every agent renews its token.",
    rule: milliseconds(),
    default: '86400000',
  },
  AGENT_LIST_GRACE_MS: {
    doc: 'Pause between the agent list and the first message down to an agent, ms.',
    rule: milliseconds(0),
    default: '200',
  },
  WEB_SOCKET_PING_INTERVAL_MS: {
    doc: 'Interval of the heartbeats that the server sends over each socket, ms.',
    rule: milliseconds(),
    default: '10000',
  },
  WEB_SOCKET_PING_TIMEOUT_MS: {
    doc: 'Wait for the answer to a heartbeat, ms; interval and wait together notice a peer that is gone.',
    rule: milliseconds(),
    default: '8000',
  },
  WEB_SOCKET_LOGIN_TIMEOUT_MS: {
    doc: 'How long a connection may stay open without a login, ms.',
    rule: milliseconds(),
    default: '10000',
  },
  WEB_SOCKET_MAX_STRANGERS: {
    doc: 'Connections without a login that one node holds at the same time.',
    rule: whole(1, 65535),
    default: '1000',
  },
  DRAIN_TIMEOUT_MS: {
    doc: 'How long a node that was asked to stop waits for what is under way on its sockets, ms.',
    rule: milliseconds(0),
    default: '15000',
  },
} as const satisfies Variables;

const CENTOPS_VARIABLES = {
  CENTOPS_CONFIGURATION_URL: {
    doc: 'Where CentOps serves the list of agents.',
    rule: requestUrl(),
    required: true,
    example: 'https://centops.example.org/agents',
  },
  CENTOPS_CONFIGURATION_CRON_TIME: {
    doc: 'When the list of agents is fetched again.',
    rule: cron(),
    default: '*/30 * * * *',
  },
  CENTOPS_REMOVE_AFTER_MS: {
    doc: 'How long an agent must be missing in every answer of CentOps, three at least, before it counts as gone, ms; 0 believes the first answer.',
    rule: milliseconds(0),
    default: '60000',
  },
  CENTOPS_CONFIGURATION_API_KEY: { doc: 'Key for the paged form of CentOps.', rule: text('an API key'), secret: true },
  CENTOPS_CONFIGURATION_API_SECRET: {
    doc: 'Secret that belongs to the key.',
    rule: text('an API secret'),
    secret: true,
  },
  MSW_ENABLED: {
    doc: 'Refused when true in production; without effect otherwise: the stand-in of CentOps is a process of its own.',
    rule: flag(),
    default: 'false',
  },
} as const satisfies Variables;

const QUEUE_VARIABLES = {
  RABBITMQ_DEFAULT_TTL: { doc: "Lifetime of a message in an agent's queue, ms.", rule: lifetime(), default: '300000' },
  RABBITMQ_DEFAULT_DLQ_TTL: {
    doc: 'Lifetime of a message in a dead-letter queue, ms.',
    rule: lifetime(),
    default: '86400000',
  },
  RABBITMQ_VALIDATION_FAILURES_TTL: {
    doc: 'Lifetime of a message in validation-failures, ms.',
    rule: lifetime(),
    default: '86400000',
  },
  RETIRE_AFTER: {
    doc: 'How long an agent that left CentOps keeps its queues, ms.',
    rule: milliseconds(),
    default: '86400000',
  },
  DLQ_MONITOR_INTERVAL_MS: {
    doc: 'Interval between two counts of the queues, ms.',
    rule: milliseconds(),
    default: '30000',
  },
  MESSAGE_TRAIL_SIZE: {
    doc: 'How many of the latest messages a node remembers for the command `message`, in memory; 0 remembers none.',
    rule: whole(0, 10_000_000),
    default: '20000',
  },
} as const satisfies Variables;

const DELIVERY_VARIABLES = {
  CONFIRM_TIMEOUT_MS: {
    doc: "Deadline for the broker's confirm of one accepted message, ms.",
    rule: milliseconds(),
    default: '1500',
  },
  MESSAGE_DELIVERY_TIMEOUT_MS: {
    doc: "Wait for an agent's ack of one try, ms.",
    rule: milliseconds(),
    default: '2000',
  },
  MESSAGE_DELIVERY_MAX_TRIES: {
    doc: 'Tries before a message is dead-lettered.',
    rule: whole(1, 1000),
    default: '10',
  },
  MESSAGE_RETRY_DELAY_MS: {
    doc: 'Wait after the first failed try, ms; doubles with each try.',
    rule: milliseconds(),
    default: '1000',
  },
  MESSAGE_RETRY_DELAY_MAX_MS: { doc: 'Upper bound of that wait, ms.', rule: milliseconds(), default: '30000' },
  AGENT_PREFETCH: {
    doc: 'Messages on their way to one agent at the same time.',
    rule: whole(1, 65535),
    default: '50',
  },
} as const satisfies Variables;

const LIMIT_VARIABLES = {
  AGENT_RATE_LIMIT: {
    doc: 'Messages a second that one agent may send, with bursts of twice as many; 0 sets no limit.',
    rule: whole(0, 1_000_000),
    default: '2000',
  },
  AGENT_MAX_IN_FLIGHT: {
    doc: 'Messages of one agent that wait for their confirm at the same time; beyond it its socket is not read.',
    rule: whole(1, 1_000_000),
    default: '1000',
  },
  NODE_MAX_IN_FLIGHT: {
    doc: 'The same of all agents of a node together; beyond it no socket is read that brings another.',
    rule: whole(1, 1_000_000),
    default: '600',
  },
  MESSAGE_MAX_BYTES: {
    doc: 'Size of the largest envelope that is accepted, bytes.',
    rule: whole(1000, 15_000_000),
    default: '1000000',
  },
  VALIDATION_FAILURES_RATE_LIMIT: {
    doc: "One agent's refused messages a second that are kept in validation-failures, with bursts of ten times as many.",
    rule: whole(1, 1_000_000),
    default: '10',
  },
} as const satisfies Variables;

/** Read by a server node. */
export const SERVER_VARIABLES = {
  PORT: { doc: 'HTTP and WebSocket port; 0 takes any free one.', rule: whole(0, 65535), default: '8075' },
  METRICS_PORT,
  ...NODE_VARIABLES,
  ...tracingVariables('dmr-server'),
  ...SOCKET_VARIABLES,
  ...CENTOPS_VARIABLES,
  ...AMQP_VARIABLES,
  ...QUEUE_VARIABLES,
  ...DELIVERY_VARIABLES,
  ...LIMIT_VARIABLES,
} as const satisfies Variables;
