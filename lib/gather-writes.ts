import type { Writable } from 'node:stream';

/**
 * Has what is written to a socket within one turn of the event loop go out in one system call: under load each call costs
 * more than the routing of a message. Nothing waits longer than for the work that this turn has at hand, and what was
 * written goes out before the socket is destroyed, as it would have without.
 */
export function gatherWrites(socket: Writable): void {
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
  const destroy = socket.destroy.bind(socket);
  let turn: NodeJS.Immediate | undefined;
  const flush = () => {
    turn = undefined;
    socket.uncork();
  };
  socket.write = (...args: unknown[]) => {
    if (!turn) {
      socket.cork();
      turn = setImmediate(flush);
    }
    return write(...args);
  };
  // Servers of HTTP write a refusal and destroy the socket in one breath.
  socket.destroy = (error?: Error) => {
    if (turn && !socket.destroyed) {
      clearImmediate(turn);
      flush();
    }
    return destroy(error);
  };
}
