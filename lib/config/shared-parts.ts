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
  return {
    host: values.RABBITMQ_DEFAULT_HOST,
    port: values.RABBITMQ_DEFAULT_PORT,
    user: values.RABBITMQ_DEFAULT_USER,
    password: values.RABBITMQ_DEFAULT_PASS,
    vhost: values.RABBITMQ_DEFAULT_VHOST,
    reconnectMaxMs: values.RABBITMQ_DEFAULT_DEFAULT_RECONNECT_INTERVAL,
  };
}
