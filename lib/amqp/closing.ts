import type { EventEmitter } from 'node:events';
import type { ChannelModel } from 'amqplib';
import { socketOf } from './socket-of';

/** A channel or a connection of amqplib. */
type Closable = EventEmitter & { close(): Promise<void> };

/** How long the other side may take to answer. */
const CLOSE_TIMEOUT_MS = 3000;
/** What a broker that is still there may take to read our last words. */
const LINGER_MS = 1000;

/**
 * Closes and resolves when it is closed, by whomever; after `timeoutMs` at the latest, as the other side may be frozen.
 * amqplib's own promise waits for the broker's answer for ever when the connection is lost before it came; the 'close'
 * event comes all the same.
 */
export function closing(closable: Closable, timeoutMs = CLOSE_TIMEOUT_MS): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, timeoutMs).unref();
    const closed = () => {
      clearTimeout(timer);
      resolve();
    };
    closable.once('close', closed);
    closable.close().then(closed, closed); // refused where it is closed already
  });
}

/**
 * Frees the socket of a connection that was closed or would not be, after 1 s: one whose other end is frozen would never
 * finish its own closing and keep the process from ending.
 */
export function letGo(model: Pick<ChannelModel, 'connection'>): void {
  const socket = socketOf(model);
  // With an error: without one amqplib would go on counting heartbeats.
  setTimeout(() => socket.destroy(new Error('the broker did not answer')), LINGER_MS).unref();
}
