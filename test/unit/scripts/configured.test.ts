import { configuredBroker, readConfigured } from '../../../scripts/lib/broker/configured';
import { freePorts } from '../../../scripts/lib/broker/free-ports';

const env = { RABBITMQ_DEFAULT_HOST: 'mq.example', RABBITMQ_DEFAULT_USER: 'u', RABBITMQ_DEFAULT_PASS: 'p' };

describe('the configured broker', () => {
  it('is read from the environment', () => {
    const all = {
      ...env,
      RABBITMQ_DEFAULT_PORT: '8070',
      RABBITMQ_DEFAULT_MANAGEMENT_UI_URI: 'http://mq.example:8071/',
    };
    expect(readConfigured(all)).toMatchObject({
      kind: 'configured',
      host: 'mq.example',
      port: 8070,
      user: 'u',
      password: 'p',
      vhost: '/',
      managementUrl: 'http://mq.example:8071',
    });
  });

  it('has defaults for port and management', () => {
    expect(readConfigured(env)).toMatchObject({ port: 5672, managementUrl: undefined });
  });

  it('names what is missing', () => {
    expect(() => readConfigured({ RABBITMQ_DEFAULT_HOST: 'mq.example' })).toThrow(/_USER and RABBITMQ_DEFAULT_PASS/);
  });

  it('has to answer', async () => {
    const [port] = await freePorts(1);
    const nobody = { ...env, RABBITMQ_DEFAULT_HOST: '127.0.0.1', RABBITMQ_DEFAULT_PORT: String(port) };
    await expect(configuredBroker(nobody, 200)).rejects.toThrow(/No RabbitMQ answered on 127.0.0.1/);
  });
});
