import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** Of what a near end says first, so much is remembered: AMQP's names of connections are in it. */
const OPENING_BYTES = 4096;

/** A line between two parties that a test can cut: connections to `port` go on to `host:targetPort`. */
export class TcpProxy {
  private server: Server | undefined;
  private readonly sockets = new Set<Socket>();
  /** Far ends by their near ends. */
  private readonly lines = new Map<Socket, Socket>();
  private frozen = false;
  /** What the near ends said first. */
  private readonly openings = new Map<Socket, Buffer>();
  /** Bytes that `withhold` kept from the far end. */
  withheld = 0;

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

  /** From now on keeps from the far end what comes over the connections that began with `name`; throws where there is none. */
  withhold(name: string): void {
    const meant = [...this.openings].filter(([, opening]) => opening.includes(name));
    if (meant.length === 0) throw new Error(`No connection began with ${name}`);
    const count = (data: Buffer) => void (this.withheld += data.length);
    for (const [near] of meant) near.unpipe().on('data', count).resume();
  }

  private listen(near: Socket): void {
    let opening = Buffer.alloc(0);
    const hear = (data: Buffer) => {
      opening = Buffer.concat([opening, data]).subarray(0, OPENING_BYTES);
      this.openings.set(near, opening);
      if (opening.length === OPENING_BYTES) near.off('data', hear);
    };
    near.on('data', hear).on('close', () => this.openings.delete(near));
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
    this.listen(near);
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
