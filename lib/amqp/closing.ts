import type { EventEmitter } from 'node:events';

/** A channel or a connection of amqplib. */
type Closable = EventEmitter & { close(): Promise<void> };

/**
 * Closes and resolves when it is closed, by whomever. amqplib's own promise waits for the broker's answer for ever when
 * the connection is lost before it came; the 'close' event comes all the same.
 */
export function closing(closable: Closable): Promise<void> {
  return new Promise((resolve) => {
    closable.once('close', resolve);
    closable.close().then(resolve, () => resolve()); // refused where it is closed already
  });
}
