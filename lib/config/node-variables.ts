import { isAnyPrivateKey, isCertificate } from './formats';
import { pemFile, readableFile } from './file-rules';
import { hostList } from './host-list';
import { flag, httpUrl, logLevels, milliseconds, oneOf, password, text, whole } from './rules';
import type { Variable, Variables } from './variable';

/** What chooses the services of a process; the npm scripts set it. */
export const PROCESS_VARIABLES = {
  DMR_ROLE: {
    doc: 'What this process runs as; the npm scripts set it.',
    rule: oneOf('server', 'agent', 'repl', 'centops', 'chatbot'),
    default: 'server',
  },
} as const satisfies Variables;

/** Read by the roles that have metrics. */
export const METRICS_PORT = {
  doc: 'Port of an HTTP server of its own for `/metrics` and health, which PORT keeps as well; `/metrics` leaves PORT then. 0 takes any free one.',
  rule: whole(0, 65535),
  example: '9464',
} as const satisfies Variable;

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
    doc: 'Logs for people, or one JSON object per line for collectors; `auto` is for people on a terminal alone.',
    rule: oneOf('auto', 'pretty', 'json'),
    default: 'auto',
  },
  NODE_EXTRA_CA_CERTS: {
    doc: 'Private CAs to trust besides the public ones: for RabbitMQ, CentOps and the uplink alike. Node.js itself reads it as the process starts, so it has to be in the real environment, not in an `--envfile`.',
    rule: readableFile(),
  },
  NODE_TLS_REJECT_UNAUTHORIZED: {
    doc: "Node.js' own switch: `0` makes every TLS connection trust anybody. Refused in production.",
    rule: text('1'),
    example: '1',
  },
} as const satisfies Variables;

/** Read by every node that joins the mesh over RabbitMQ. */
export const AMQP_VARIABLES = {
  RABBITMQ_DEFAULT_HOST: {
    doc: 'Host of RabbitMQ, or the hosts of its cluster, which are tried in turn.',
    rule: hostList(),
    required: true,
    example: 'localhost',
  },
  RABBITMQ_DEFAULT_PORT: {
    doc: 'AMQP port of the hosts that name none; with TLS usually 5671.',
    rule: whole(1, 65535),
    required: true,
    example: '5672',
  },
  RABBITMQ_DEFAULT_USER: { doc: 'User at RabbitMQ.', rule: text('a user name'), required: true, example: 'dmr' },
  RABBITMQ_DEFAULT_PASS: { doc: 'Password at RabbitMQ.', rule: password(), required: true, secret: true },
  RABBITMQ_DEFAULT_VHOST: { doc: 'Virtual host at RabbitMQ.', rule: text('a virtual host'), default: '/' },
  RABBITMQ_DEFAULT_TLS: {
    doc: 'Whether connections to RabbitMQ are encrypted; its certificate and host name are always verified then.',
    rule: flag(),
    default: 'false',
  },
  RABBITMQ_DEFAULT_TLS_CERT_FILE: {
    doc: 'Certificate by which this node proves to RabbitMQ who it is.',
    rule: pemFile('a certificate', isCertificate),
  },
  RABBITMQ_DEFAULT_TLS_KEY_FILE: {
    doc: 'Private key of that certificate.',
    rule: pemFile('a private key without a passphrase', isAnyPrivateKey),
  },
  RABBITMQ_DEFAULT_HEARTBEAT: {
    doc: 'Interval of the heartbeat with RabbitMQ, s; a silent connection is given up after two to three of them. The transporter takes 3 at the most.',
    rule: whole(1, 3600),
    default: '5',
  },
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
