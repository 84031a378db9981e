import { NODE_VARIABLES } from './node-variables';
import { milliseconds, namespace, oneOf, privateKey, requestUrl, socketOrigin, uuid, whole } from './rules';
import type { Variables } from './variable';

const UPLINK_VARIABLES = {
  DMR_SERVER_WEBSOCKET_URL: {
    doc: 'The server, without the namespace.',
    rule: socketOrigin(),
    required: true,
    example: 'http://localhost:8075',
  },
  DMR_SERVER_WEBSOCKET_NAMESPACE: {
    doc: 'Socket.IO namespace of the agents.',
    rule: namespace(),
    default: '/v1/dmr-agent-events',
  },
  WEBSOCKET_RECONNECTION_DELAY: {
    doc: 'Wait before the first attempt to reconnect, ms; grows with each attempt.',
    rule: milliseconds(),
    default: '1000',
  },
  WEBSOCKET_RECONNECTION_DELAY_MAX: { doc: 'Upper bound of that wait, ms.', rule: milliseconds(), default: '5000' },
  MESSAGE_DELIVERY_TIMEOUT_MS: {
    doc: "Wait for the server's ack, ms; the chatbot gets 504 past it.",
    rule: milliseconds(),
    default: '2000',
  },
} as const satisfies Variables;

/** Read by an agent. */
export const AGENT_VARIABLES = {
  PORT: { doc: 'REST port; 0 takes any free one.', rule: whole(0, 65535), default: '8077' },
  ...NODE_VARIABLES,
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
  ...UPLINK_VARIABLES,
  OUTGOING_MESSAGE_ENDPOINT: {
    doc: "The chatbot's endpoint that opened messages are posted to.",
    rule: requestUrl(),
    required: true,
    example: 'http://localhost:8090/messages',
  },
  OUTGOING_MESSAGE_TIMEOUT_MS: { doc: "Wait for the chatbot's answer, ms.", rule: milliseconds(), default: '10000' },
  MESSAGE_BINDING: {
    doc: 'Whether a seal must carry the claims that bind it to its envelope, or they are checked when present.',
    rule: oneOf('prefer', 'require'),
    default: 'prefer',
  },
} as const satisfies Variables;
