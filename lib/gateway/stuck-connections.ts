import type { Socket } from 'node:net';

interface Progress {
  sent: number;
  /** When that was so first, ms of the monotonic clock. */
  at: number;
}

/**
 * Finds connections whose peer takes nothing of what is written to it. A heartbeat does not: who sends pongs unasked puts
 * each ping off (engine.io, socket.js), and the answer to a long poll has none. It is as patient as the heartbeat, whose
 * pings wait behind what is not taken; as with them, what is written at once counts once all of it was taken.
 */
export class StuckConnections {
  private readonly progress = new WeakMap<Socket, Progress>();

  constructor(private readonly limitMs: number) {}

  /** Destroys those that stand still for longer than the limit; returns how many. To be called now and then. */
  cut(connections: Iterable<Socket>): number {
    let count = 0;
    for (const connection of connections) {
      if (!this.isStuck(connection)) continue;
      connection.destroy();
      count += 1;
    }
    return count;
  }

  private isStuck(connection: Socket): boolean {
    const now = performance.now();
    const sent = connection.bytesWritten - connection.writableLength;
    const before = this.progress.get(connection);
    const stands = connection.writableLength > 0 && before?.sent === sent;
    if (!stands) this.progress.set(connection, { sent, at: now });
    return stands && now - before.at > this.limitMs;
  }
}
