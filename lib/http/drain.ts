import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Server as NetServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** For so long a connection may be idle before it is ended: a client that is about to use it hears of the end first. */
const IDLE_MS = 500;
const LOOK_EVERY_MS = 20;

/**
 * Answers what has arrived, and what still comes over connections that are open, and ends each with its answer; new ones
 * are refused. Resolves when all are gone, or after `limitMs`. `server.close` alone takes idle connections away under
 * the hands of their clients, and waits for ever for a client that posts all the time.
 */
export async function drainHttp(server: Server, limitMs: number): Promise<void> {
  server.prependListener('request', (_request: IncomingMessage, response: ServerResponse) => {
    response.setHeader('connection', 'close');
  });
  let closed = false;
  NetServer.prototype.close.call(server, () => (closed = true));
  const begin = performance.now();
  for (let now = begin; !closed && now < begin + limitMs; now = performance.now()) {
    if (now > begin + IDLE_MS) server.closeIdleConnections();
    await delay(LOOK_EVERY_MS);
  }
  server.close(); // ends the timer that watches over requests, too
  server.closeAllConnections();
}
