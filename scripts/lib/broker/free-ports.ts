import { createServer } from 'node:net';

// Below the range that systems give to outgoing connections (Linux from 32768, macOS from 49152): a port that was free
// a moment ago is not taken by somebody's connection while the broker boots.
const FIRST = 15_000;
const LAST = 32_000;

/** Ports on 127.0.0.1 that nobody listens on right now, each another. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
