import { flag, hostName, httpUrl, logLevels, milliseconds, oneOf, text, whole } from './rules';
import type { Variables } from './variable';

/** What chooses the services of a process; the npm scripts set it. */
export const PROCESS_VARIABLES = {
  DMR_ROLE: {
    doc: 'What this process runs as; the npm scripts set it.',
    rule: oneOf('server', 'agent', 'repl', 'centops', 'chatbot'),
    default: 'server',
  },
} as const satisfies Variables;

/** Read by every role. */
export const NODE_VARIABLES = {
  ENVIRONMENT: {
    doc: 'The kind of deployment; anything deployed runs as production.',
    rule: oneOf('development', 'production'),
    default: 'development',
  },
  LOGGER_COLORS: { doc: 'Whether logs are coloured.', rule: flag(), default: 'true' },
  LOGGER_LOG_LEVELS: {
    doc: 'Levels to log; the most talkative decides.',
    rule: logLevels(),
    default: 'error,warn,log',
  },
  LOGGER_FORMAT: {
    doc: 'Logs for people, or one JSON object per line for collectors.',
    rule: oneOf('pretty', 'json'),
    default: 'pretty',
  },
} as const satisfies Variables;

/** Read by every node that joins the mesh over RabbitMQ. */
export const AMQP_VARIABLES = {
  RABBITMQ_DEFAULT_HOST: { doc: 'Host of RabbitMQ.', rule: hostName(), required: true, example: 'localhost' },
  RABBITMQ_DEFAULT_PORT: { doc: 'AMQP port of RabbitMQ.', rule: whole(1, 65535), required: true, example: '5672' },
  RABBITMQ_DEFAULT_USER: { doc: 'User at RabbitMQ.', rule: text('a user name'), required: true, example: 'dmr' },
  RABBITMQ_DEFAULT_PASS: { doc: 'Password at RabbitMQ.', rule: text('a password'), required: true, secret: true },
  RABBITMQ_DEFAULT_VHOST: { doc: 'Virtual host at RabbitMQ.', rule: text('a virtual host'), default: '/' },
  RABBITMQ_DEFAULT_MANAGEMENT_UI_URI: {
    doc: 'Management interface of RabbitMQ; taken so that deployed manifests fit, and not used: counts come over AMQP.',
    rule: httpUrl(),
    example: 'http://localhost:15672',
  },
  RABBITMQ_DEFAULT_DEFAULT_RECONNECT_INTERVAL: {
    doc: 'Upper bound of the back-off between two connection attempts to RabbitMQ, ms.',
    rule: milliseconds(),
    default: '5000',
  },
} as const satisfies Variables;
