import { NODE_VARIABLES } from './node-variables';
import { baseUrl, flag, publicKey, text, uuid, whole } from './rules';
import type { Variables } from './variable';

/** Read by the stand-in of CentOps. */
export const CENTOPS_STAND_IN_VARIABLES = {
  PORT: { doc: 'HTTP port; 0 takes any free one.', rule: whole(0, 65535), default: '8076' },
  ...NODE_VARIABLES,
  MSW_ENABLED: {
    doc: 'Refused when true in production; without effect otherwise: the stand-in of CentOps is a process of its own.',
    rule: flag(),
    default: 'false',
  },
  MOCK_DMR_AGENT_A_ID: { doc: 'UUID of the first agent.', rule: uuid(), required: true },
  MOCK_DMR_AGENT_A_NAME: { doc: 'Name of the first agent.', rule: text('a name'), default: 'Police' },
  MOCK_DMR_AGENT_A_PUBLIC_KEY: {
    doc: 'Public key of the first agent; line breaks may be written as `\\n`.',
    rule: publicKey(),
    required: true,
    orFile: true,
  },
  MOCK_DMR_AGENT_B_ID: { doc: 'UUID of the second agent.', rule: uuid(), required: true },
  MOCK_DMR_AGENT_B_NAME: { doc: 'Name of the second agent.', rule: text('a name'), default: 'Tax office' },
  MOCK_DMR_AGENT_B_PUBLIC_KEY: {
    doc: 'Public key of the second agent; line breaks may be written as `\\n`.',
    rule: publicKey(),
    required: true,
    orFile: true,
  },
} as const satisfies Variables;

/** Read by the stand-in of a chatbot. */
export const CHATBOT_STAND_IN_VARIABLES = {
  PORT: { doc: 'HTTP port; 0 takes any free one.', rule: whole(0, 65535), default: '8090' },
  ...NODE_VARIABLES,
  CHATBOT_NAME: { doc: 'How the chatbot calls itself in its answers.', rule: text('a name'), required: true },
  CHATBOT_AGENT_URL: { doc: "Base URL of the chatbot's own agent.", rule: baseUrl(), required: true },
} as const satisfies Variables;
