import { amqpAnswers } from './readiness';
import type { ProvidedBroker } from './types';

const ANSWER_LIMIT_MS = 10_000;

/**
 * The broker that RABBITMQ_DEFAULT_HOST names; `stop()` leaves it as it is.
 * @throws when its user is not configured as well or it does not answer
 */
export async function configuredBroker(env: NodeJS.ProcessEnv, timeoutMs = ANSWER_LIMIT_MS): Promise<ProvidedBroker> {
  const broker = readConfigured(env);
  await amqpAnswers({ host: broker.host, port: broker.port, timeoutMs });
  return broker;
}

/** Reads the configured broker from the environment; throws when a part is missing. */
export function readConfigured(env: NodeJS.ProcessEnv): ProvidedBroker {
  const missing = ['HOST', 'USER', 'PASS'].map((part) => `RABBITMQ_DEFAULT_${part}`).filter((name) => !env[name]);
  if (missing.length > 0)
    throw new Error(`RABBITMQ_DEFAULT_HOST names a broker, but ${missing.join(' and ')} is not set`);
  return {
    kind: 'configured',
    host: env['RABBITMQ_DEFAULT_HOST'] as string,
    port: Number(env['RABBITMQ_DEFAULT_PORT'] || 5672),
    user: env['RABBITMQ_DEFAULT_USER'] as string,
    password: env['RABBITMQ_DEFAULT_PASS'] as string,
    vhost: env['RABBITMQ_DEFAULT_VHOST'] || '/',
    managementUrl: env['RABBITMQ_DEFAULT_MANAGEMENT_UI_URI']?.replace(/\/+$/, '') || undefined,
    stop: () => Promise.resolve(),
  };
}
