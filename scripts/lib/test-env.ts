import type { ProvidedBroker } from './broker/types';
import type { InstalledPrometheus } from './prometheus';

/** Where RabbitMQ's plugin listens unless told otherwise. */
const USUAL_METRICS_PORT = 15692;

/** The variables by which tests find the broker, see test/helpers/rabbitmq.ts. */
export function testEnv(broker: ProvidedBroker): Record<string, string> {
  const { host, port, user, password, managementUrl, prometheusPort } = broker;
  return {
    DMR_TEST_AMQP_HOST: host,
    DMR_TEST_AMQP_PORT: String(port),
    DMR_TEST_AMQP_USER: user,
    DMR_TEST_AMQP_PASS: password,
    ...(managementUrl && { DMR_TEST_MANAGEMENT_URL: managementUrl }),
    DMR_TEST_BROKER_METRICS: `${host}:${prometheusPort ?? USUAL_METRICS_PORT}`,
  };
}

/** The variable by which tests find kubectl, see test/helpers/manifests.ts. */
export function kubectlEnv(kubectl: string): Record<string, string> {
  return { DMR_TEST_KUBECTL: kubectl };
}

/** The variables by which tests find Prometheus, see test/helpers/prometheus.ts. */
export function prometheusEnv({ prometheus, promtool }: InstalledPrometheus): Record<string, string> {
  return { DMR_TEST_PROMETHEUS: prometheus, DMR_TEST_PROMTOOL: promtool };
}
