import { connect } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import type { ProvidedBroker } from '../lib/broker/types';

const LOOK_EVERY_MS = 2000;

/** Rejects once nobody listens any more where the broker did; never resolves. */
export async function brokerDeath({ host, port }: ProvidedBroker): Promise<never> {
  for (;;) {
    await wait(LOOK_EVERY_MS);
    if (await refuses(host, port)) throw new Error(`RabbitMQ at ${host}:${port} ended by itself.`);
  }
}

function refuses(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once('connect', () => resolve(false));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
    socket.once('connect', () => socket.destroy());
  });
}
