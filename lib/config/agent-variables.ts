import { METRICS_PORT, NODE_VARIABLES } from './node-variables';
import { folder, milliseconds, namespace, oneOf, privateKey, requestUrl, socketOrigins, uuid, whole } from './rules';
import { tracingVariables } from './tracing-variables';
import type { Variables } from './variable';

const UPLINK_VARIABLES = {
  DMR_SERVER_WEBSOCKET_URL: {
    doc: 'The server, without the namespace; of several, separated by commas, each attempt to connect takes the next.',
    rule: socketOrigins(),
    required: true,
    example: 'http://localhost:8075',
  },
  DMR_SERVER_WEBSOCKET_NAMESPACE: {
    doc: 'Socket.IO namespace of the agents.',
    rule: namespace(),
    default: '/v1/dmr-agent-events',
  },
  WEBSOCKET_RECONNECTION_DELAY: {
    doc: 'Wait before the first attempt to reconnect, ms; doubles with each attempt that ends without a login.',
    rule: milliseconds(),
    default: '1000',
  },
  WEBSOCKET_RECONNECTION_DELAY_MAX: { doc: 'Upper bound of that wait, ms.', rule: milliseconds(), default: '5000' },
  MESSAGE_DELIVERY_TIMEOUT_MS: {
    doc: "How long a message may take until the server's ack, ms, waits for the uplink included; 502 or 504 past it.",
    rule: milliseconds(),
    default: '2000',
  },
  OUTBOX_MAX_MESSAGES: {
    doc: 'Messages posted with Prefer: respond-async that may wait for the server; 503 past it.',
    rule: whole(1, 1_000_000),
    default: '10000',
  },
  OUTBOX_MAX_AGE_MS: {
    doc: 'How long such a message may wait for the server, ms; it has failed past it.',
    rule: milliseconds(),
    default: '86400000',
  },
} as const satisfies Variables;

/** Read by an agent. */
export const AGENT_VARIABLES = {
  PORT: { doc: 'REST port; 0 takes any free one.', rule: whole(0, 65535), default: '8077' },
  METRICS_PORT,
  API_DOCS: {
    doc: 'Whether `/v1/docs` shows the REST interface to a browser and sends messages from there; `auto`: unless ENVIRONMENT is production.',
    rule: oneOf('auto', 'on', 'off'),
    default: 'auto',
  },
  ...NODE_VARIABLES,
  ...tracingVariables('dmr-agent'),
  AGENT_ID: {
    doc: 'UUID of this agent at CentOps.',
    rule: uuid(),
    required: true,
    example: '00000000-0000-4000-8000-000000000000',
  },
  AGENT_PRIVATE_KEY: {
    doc: 'Private key of this agent; line breaks may be written as `\\n`.',
    rule: privateKey(),
    required: true,
    secret: true,
  },
  AGENT_PRIVATE_KEY_PREVIOUS: {
    doc: 'The private key before AGENT_PRIVATE_KEY while it is being changed: what was sealed for it still opens.',
    rule: privateKey(),
    secret: true,
  },
  KEY_OVERLAP_MS: {
    doc: 'How long a signature of the key counts that another agent had until CentOps listed a new one, ms; 0: not at all.',
    rule: milliseconds(0),
    default: '600000',
  },
  AGENT_DATA_DIR: {
    doc: 'Folder on a local disk for what the agent must not forget, in a sub-folder for each AGENT_ID; where the rest is read-only, mount a volume here.',
    rule: folder(),
    default: 'data/agent',
  },
  ...UPLINK_VARIABLES,
  OUTGOING_MESSAGE_ENDPOINT: {
    doc: "The chatbot's endpoint that opened messages are posted to.",
    rule: requestUrl(),
    required: true,
    example: 'http://localhost:8090/messages',
  },
  OUTGOING_MESSAGE_TIMEOUT_MS: { doc: "Wait for the chatbot's answer, ms.", rule: milliseconds(), default: '10000' },
  OUTGOING_MESSAGE_RETRY_MS: {
    doc: "How long a message is tried again while the chatbot does not take it, ms; less than the server's patience. 0: one try.",
    rule: milliseconds(0),
    default: '80000',
  },
  DUPLICATE_WINDOW_MS: {
    doc: 'How long the id of a received message is remembered, ms; the default is the life of a message in both its queues (5 min, 24 h) and an hour.',
    rule: milliseconds(),
    default: '90300000',
  },
  MESSAGE_BINDING: {
    doc: 'Whether a seal must carry the claims that bind it to its envelope, or they are checked when present.',
    rule: oneOf('prefer', 'require'),
    default: 'prefer',
  },
} as const satisfies Variables;
