import type { ProvidedBroker } from './broker/types';

/** The variables by which tests find the broker, see test/helpers/rabbitmq.ts. */
export function testEnv({ host, port, user, password, managementUrl }: ProvidedBroker): Record<string, string> {
  return {
    DMR_TEST_AMQP_HOST: host,
    DMR_TEST_AMQP_PORT: String(port),
    DMR_TEST_AMQP_USER: user,
    DMR_TEST_AMQP_PASS: password,
    ...(managementUrl && { DMR_TEST_MANAGEMENT_URL: managementUrl }),
  };
}
