import { read } from './read';
import type { AmqpConfig, NodeConfig, ServerConfig } from './types';
import { amqpConfig, nodeConfig, tracingConfig } from './shared-parts';

/**
 * The configuration of a server node.
 * @throws {ConfigError} when a variable is missing, wrong or contradicts another.
 */
export function loadServerConfig(env: NodeJS.ProcessEnv = process.env): ServerConfig {
  const values = read('server', env);
  return {
    ...nodeConfig(values),
    tracing: tracingConfig(values),
    port: values.PORT,
    metricsPort: values.METRICS_PORT,
    socket: {
      namespace: values.WEB_SOCKET_NAMESPACE,
      maxDisconnectionMs: values.WEB_SOCKET_MAX_DISCONNECTION_DURATION,
      tokenMaxAgeMs: values.AGENT_TOKEN_MAX_AGE,
      listGraceMs: values.AGENT_LIST_GRACE_MS,
      pingIntervalMs: values.WEB_SOCKET_PING_INTERVAL_MS,
      pingTimeoutMs: values.WEB_SOCKET_PING_TIMEOUT_MS,
      loginTimeoutMs: values.WEB_SOCKET_LOGIN_TIMEOUT_MS,
      maxStrangers: values.WEB_SOCKET_MAX_STRANGERS,
      drainTimeoutMs: values.DRAIN_TIMEOUT_MS,
    },
    limits: {
      perSecond: values.AGENT_RATE_LIMIT,
      inFlight: values.AGENT_MAX_IN_FLIGHT,
      nodeInFlight: values.NODE_MAX_IN_FLIGHT,
      messageBytes: values.MESSAGE_MAX_BYTES,
      failuresPerSecond: values.VALIDATION_FAILURES_RATE_LIMIT,
    },
    amqp: amqpConfig(values),
    ttl: {
      agentTtlMs: values.RABBITMQ_DEFAULT_TTL,
      dlqTtlMs: values.RABBITMQ_DEFAULT_DLQ_TTL,
      validationFailuresTtlMs: values.RABBITMQ_VALIDATION_FAILURES_TTL,
    },
    delivery: {
      ackTimeoutMs: values.MESSAGE_DELIVERY_TIMEOUT_MS,
      maxTries: values.MESSAGE_DELIVERY_MAX_TRIES,
      retryDelayMs: values.MESSAGE_RETRY_DELAY_MS,
      retryDelayMaxMs: values.MESSAGE_RETRY_DELAY_MAX_MS,
      prefetch: values.AGENT_PREFETCH,
    },
    confirmTimeoutMs: values.CONFIRM_TIMEOUT_MS,
    centOps: {
      url: values.CENTOPS_CONFIGURATION_URL,
      cron: values.CENTOPS_CONFIGURATION_CRON_TIME,
      removeAfterMs: values.CENTOPS_REMOVE_AFTER_MS,
      apiKey: values.CENTOPS_CONFIGURATION_API_KEY,
      apiSecret: values.CENTOPS_CONFIGURATION_API_SECRET,
    },
    retireAfterMs: values.RETIRE_AFTER,
    dlqMonitorIntervalMs: values.DLQ_MONITOR_INTERVAL_MS,
    trailSize: values.MESSAGE_TRAIL_SIZE,
  };
}

/**
 * What a node needs that only joins the mesh, such as the REPL.
 * @throws {ConfigError} when a variable is missing or wrong.
 */
export function loadMeshConfig(env: NodeJS.ProcessEnv = process.env): NodeConfig & { amqp: AmqpConfig } {
  const values = read('mesh', env);
  return { ...nodeConfig(values), amqp: amqpConfig(values) };
}
