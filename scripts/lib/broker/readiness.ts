import { connect } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';

const AMQP_HEADER = Buffer.from('AMQP\0\0\x09\x01', 'latin1');

export interface ReadinessOptions {
  host: string;
  port: number;
  /** Gives up past it, ms. */
  timeoutMs: number;
  /** Told every 15 s that it is still not there. */
  say?: (line: string) => void;
  /** Ends the wait early, as when the broker's process is gone. */
  signal?: AbortSignal;
}

/**
 * Resolves once the broker answers the AMQP handshake: a broker opens this door last, and an accepted connection alone
 * proves nothing.
 * @throws when it does not within `timeoutMs` or `signal` fires
 */
export async function amqpAnswers({ host, port, timeoutMs, say, signal }: ReadinessOptions): Promise<void> {
  const start = Date.now();
  let nextWord = 15_000;
  while (!(await handshake(host, port))) {
    const waitedMs = Date.now() - start;
    if (signal?.aborted) throw new Error(`RabbitMQ ended before it answered on ${host}:${port}`);
    if (waitedMs > timeoutMs) throw new Error(`No RabbitMQ answered on ${host}:${port} within ${timeoutMs / 1000} s`);
    if (waitedMs > nextWord) {
      say?.(`… still waiting for RabbitMQ (${Math.round(waitedMs / 1000)} s)`);
      nextWord += 15_000;
    }
    await wait(100);
  }
}

function handshake(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 2000 });
    const done = (answered: boolean) => {
      socket.destroy();
      resolve(answered);
    };
    socket.once('connect', () => socket.write(AMQP_HEADER));
    socket.once('data', () => done(true));
    socket.once('timeout', () => done(false));
    socket.once('error', () => done(false));
    socket.once('close', () => resolve(false));
  });
}
