import { read } from './read';
import { nodeConfig } from './shared-parts';
import type { CentOpsStandInConfig, ChatbotStandInConfig } from './types';

/**
 * The configuration of the stand-in of CentOps, with its two agents in the order A, B.
 * @throws {ConfigError} when a variable is missing, wrong or contradicts another, and always in production.
 */
export function loadCentOpsStandInConfig(env: NodeJS.ProcessEnv = process.env): CentOpsStandInConfig {
  const values = read('centops', env);
  return {
    ...nodeConfig(values),
    port: values.PORT,
    agents: [
      {
        id: values.MOCK_DMR_AGENT_A_ID,
        name: values.MOCK_DMR_AGENT_A_NAME,
        publicKeyPem: values.MOCK_DMR_AGENT_A_PUBLIC_KEY,
      },
      {
        id: values.MOCK_DMR_AGENT_B_ID,
        name: values.MOCK_DMR_AGENT_B_NAME,
        publicKeyPem: values.MOCK_DMR_AGENT_B_PUBLIC_KEY,
      },
    ],
  };
}

/**
 * The configuration of the stand-in of a chatbot.
 * @throws {ConfigError} when a variable is missing or wrong, and always in production.
 */
export function loadChatbotStandInConfig(env: NodeJS.ProcessEnv = process.env): ChatbotStandInConfig {
  const values = read('chatbot', env);
  return {
    ...nodeConfig(values),
    port: values.PORT,
    name: values.CHATBOT_NAME,
    agentUrl: values.CHATBOT_AGENT_URL,
  };
}
