import type { Writable } from 'node:stream';

/**
 * Has what is written to a socket within one turn of the event loop go out in one system call: under load each call costs
 * more than the routing of a message. Nothing waits longer than for the work that this turn has at hand.
 */
export function gatherWrites(socket: Writable): void {
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
  let gathering = false;
  const flush = () => {
    gathering = false;
    socket.uncork();
  };
  socket.write = (...args: unknown[]) => {
    if (!gathering) {
      gathering = true;
      socket.cork();
      setImmediate(flush);
    }
    return write(...args);
  };
}
