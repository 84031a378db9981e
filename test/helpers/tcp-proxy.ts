import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** A line between two parties that a test can cut: connections to `port` go on to `host:targetPort`. */
export class TcpProxy {
  private server: Server | undefined;
  private readonly sockets = new Set<Socket>();
  /** Far ends by their near ends. */
  private readonly lines = new Map<Socket, Socket>();
  private frozen = false;

  constructor(
    readonly port: number,
    private readonly target: { host: string; port: number },
  ) {}

  /** Lets connections through from now on. */
  async open(): Promise<void> {
    this.server = createServer((near) => this.join(near)).listen(this.port, '127.0.0.1');
    await once(this.server, 'listening');
  }

  /** Connections that go through right now. */
  get connections(): number {
    return this.sockets.size / 2;
  }

  /** Cuts every connection and refuses new ones. */
  async cut(): Promise<void> {
    const server = this.server;
    this.server = undefined;
    server?.close();
    this.frozen = false;
    for (const socket of this.sockets) socket.destroy();
    if (server) await once(server, 'close');
  }

  /** From now on accepts and swallows everything, on old connections and new ones; `cut` ends that. */
  freeze(): void {
    this.frozen = true;
    for (const socket of this.sockets) socket.unpipe().resume();
  }

  /** Ends every connection at the near end alone: the far end hears nothing any more, and does not know why. */
  endNear(): void {
    for (const [near, far] of this.lines) {
      near.unpipe();
      far.unpipe().resume();
      near.removeAllListeners('close').destroy();
      this.sockets.delete(near);
    }
    this.lines.clear();
  }

  private join(near: Socket): void {
    if (this.frozen) {
      this.sockets.add(near.resume());
      near.on('error', () => undefined); // the near end lost its patience
      return;
    }
    const far = connect(this.target.port, this.target.host);
    this.lines.set(near, far);
    near.on('close', () => this.lines.delete(near));
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.sockets.add(from);
      from.setNoDelay(true).pipe(to);
      from.on('error', () => to.destroy()); // the other end went; both go
      from.on('close', () => {
        this.sockets.delete(from);
        to.destroy();
      });
    }
  }
}
