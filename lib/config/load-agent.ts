import { read } from './read';
import { nodeConfig, tracingConfig } from './shared-parts';
import type { AgentConfig } from './types';

/**
 * The configuration of an agent.
 * @throws {ConfigError} when a variable is missing, wrong or contradicts another.
 */
export function loadAgentConfig(env: NodeJS.ProcessEnv = process.env): AgentConfig {
  const values = read('agent', env);
  return {
    ...nodeConfig(values),
    tracing: tracingConfig(values),
    port: values.PORT,
    metricsPort: values.METRICS_PORT,
    apiDocs: values.API_DOCS === 'auto' ? values.ENVIRONMENT !== 'production' : values.API_DOCS === 'on',
    agentId: values.AGENT_ID,
    privateKeyPem: values.AGENT_PRIVATE_KEY,
    previousPrivateKeyPem: values.AGENT_PRIVATE_KEY_PREVIOUS,
    keyOverlapMs: values.KEY_OVERLAP_MS,
    dataDir: values.AGENT_DATA_DIR,
    uplink: {
      urls: values.DMR_SERVER_WEBSOCKET_URL,
      namespace: values.DMR_SERVER_WEBSOCKET_NAMESPACE,
      reconnectDelayMs: values.WEBSOCKET_RECONNECTION_DELAY,
      reconnectDelayMaxMs: values.WEBSOCKET_RECONNECTION_DELAY_MAX,
    },
    deliveryTimeoutMs: values.MESSAGE_DELIVERY_TIMEOUT_MS,
    outbox: { maxMessages: values.OUTBOX_MAX_MESSAGES, maxAgeMs: values.OUTBOX_MAX_AGE_MS },
    chatbot: {
      endpoint: values.OUTGOING_MESSAGE_ENDPOINT,
      timeoutMs: values.OUTGOING_MESSAGE_TIMEOUT_MS,
      retryMs: values.OUTGOING_MESSAGE_RETRY_MS,
    },
    duplicateWindowMs: values.DUPLICATE_WINDOW_MS,
    messageBinding: values.MESSAGE_BINDING,
  };
}
