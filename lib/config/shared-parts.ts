import type { AmqpConfig, NodeConfig } from './types';
import type { Values } from './variable';
import type { AMQP_VARIABLES, NODE_VARIABLES } from './node-variables';

/** The part of the configuration that every role has. */
export function nodeConfig(values: Values<typeof NODE_VARIABLES>): NodeConfig {
  return {
    environment: values.ENVIRONMENT,
    logger: { colors: values.LOGGER_COLORS, level: values.LOGGER_LOG_LEVELS, format: values.LOGGER_FORMAT },
  };
}

/** The part of the configuration that every node of the mesh has. */
export function amqpConfig(values: Values<typeof AMQP_VARIABLES>): AmqpConfig {
  const { RABBITMQ_DEFAULT_TLS_CERT_FILE: cert, RABBITMQ_DEFAULT_TLS_KEY_FILE: key } = values;
  return {
    hosts: values.RABBITMQ_DEFAULT_HOST.map(({ host, port = values.RABBITMQ_DEFAULT_PORT }) => ({ host, port })),
    user: values.RABBITMQ_DEFAULT_USER,
    password: values.RABBITMQ_DEFAULT_PASS,
    vhost: values.RABBITMQ_DEFAULT_VHOST,
    heartbeatS: values.RABBITMQ_DEFAULT_HEARTBEAT,
    tls: values.RABBITMQ_DEFAULT_TLS ? { cert, key } : undefined,
    reconnectMaxMs: values.RABBITMQ_DEFAULT_DEFAULT_RECONNECT_INTERVAL,
  };
}
