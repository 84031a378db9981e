import type { AmqpConfig, NodeConfig, TracingConfig } from './types';
import type { Values } from './variable';
import type { AMQP_VARIABLES, NODE_VARIABLES } from './node-variables';
import type { tracingVariables } from './tracing-variables';

/** The part of the configuration that every role has. */
export function nodeConfig(values: Values<typeof NODE_VARIABLES>): NodeConfig {
  return {
    environment: values.ENVIRONMENT,
    logger: { colors: values.LOGGER_COLORS, level: values.LOGGER_LOG_LEVELS, format: values.LOGGER_FORMAT },
  };
}

/** Where spans go; undefined where no collector is named. */
export function tracingConfig(values: Values<ReturnType<typeof tracingVariables>>): TracingConfig | undefined {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint } = values;
  const { OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: cert, OTEL_EXPORTER_OTLP_CLIENT_KEY: key } = values;
  if (endpoint === undefined) return undefined;
  return {
    url: tracesUrl(endpoint),
    headers: values.OTEL_EXPORTER_OTLP_HEADERS ?? {},
    compression: values.OTEL_EXPORTER_OTLP_COMPRESSION,
    tls: { ca: values.OTEL_EXPORTER_OTLP_CERTIFICATE, cert, key },
    timeoutMs: values.OTEL_EXPORTER_OTLP_TIMEOUT,
    intervalMs: values.OTEL_BSP_SCHEDULE_DELAY,
    ratio: values.OTEL_TRACES_SAMPLER_ARG,
    serviceName: values.OTEL_SERVICE_NAME,
  };
}

function tracesUrl(endpoint: string): string {
  const url = new URL(endpoint);
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/v1/traces`;
  return url.href;
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
