import type { Socket } from 'socket.io';

/** What lies below a socket (engine.io, socket.js and transports/websocket.js). */
interface Connection {
  readyState: string;
  writeBuffer: unknown[];
  transport: { writable: boolean; socket?: { terminate?(): void } };
  close(discard?: boolean): void;
}

/** For what was written before a socket was closed, ms. */
const LINGER_MS = 5000;

/**
 * What goes down to one agent: bounded in what its connection has not taken yet. Engine.IO keeps all of it, and its
 * heartbeat does not find out who reads nothing and sends pongs unasked: each puts the next ping off.
 */
export class Outflow {
  /** In Engine.IO's buffer, bytes. */
  private waiting = 0;
  /** Of the buffer that the transport was handed last, bytes. */
  private leaving = 0;
  private movedAt = performance.now();
  private readonly connection: Connection;

  constructor(
    { conn }: Pick<Socket, 'conn'>,
    private readonly maxBytes: number,
  ) {
    this.connection = conn as unknown as Connection;
    conn.on('drain', () => {
      this.leaving = this.waiting;
      this.waiting = 0;
      this.movedAt = performance.now();
    });
  }

  /** Whether so many bytes more may be written, and then counts them; a message that is alone always may. */
  takes(bytes: number): boolean {
    const held = this.waiting + (this.connection.transport.writable ? 0 : this.leaving);
    if (held > 0 && held + bytes > this.maxBytes) return false;
    this.waiting += bytes;
    return true;
  }

  /** Whether something waits and nothing has been taken for longer than this, ms. Asked now and then, as it looks only then. */
  isStuckFor(ms: number): boolean {
    if (this.connection.writeBuffer.length === 0) this.movedAt = performance.now();
    return performance.now() - this.movedAt > ms;
  }

  /** Ends the connection, and frees what it has not taken: closing it alone waits for the peer to take it. */
  cut(): void {
    this.connection.close(true);
    this.connection.transport.socket?.terminate?.();
  }

  /** The same, a while after the socket was closed; a connection that its agent goes on using stays. */
  cutSoon(): void {
    const end = () => {
      if (this.connection.readyState !== 'open') this.cut();
    };
    setTimeout(end, LINGER_MS).unref();
  }
}
