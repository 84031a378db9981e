import type { Socket } from 'socket.io';

/** What lies below a socket (engine.io, socket.js and transports/websocket.js). */
interface Connection {
  transport: { writable: boolean; socket?: { terminate?(): void } };
  close(discard?: boolean): void;
}

/** For what was written before a socket was closed, ms. */
const LINGER_MS = 1000;

/** What goes down to one agent: bounded in what its connection has not taken yet, which Engine.IO keeps all of. */
export class Outflow {
  /** In Engine.IO's buffer, bytes. */
  private waiting = 0;
  /** Of the buffer that the transport was handed last, bytes. */
  private leaving = 0;
  private readonly connection: Connection;

  constructor(
    { conn }: Pick<Socket, 'conn'>,
    private readonly maxBytes: number,
  ) {
    this.connection = conn;
    conn.on('drain', () => {
      this.leaving = this.waiting;
      this.waiting = 0;
    });
  }

  /** Whether so many bytes more may be written, and then counts them; a message that is alone always may. */
  takes(bytes: number): boolean {
    const held = this.waiting + (this.connection.transport.writable ? 0 : this.leaving);
    if (held > 0 && held + bytes > this.maxBytes) return false;
    this.waiting += bytes;
    return true;
  }

  /**
   * Ends the connection of a socket that was closed: what was written has a second, then it is freed. Engine.IO by itself
   * would wait until the peer takes it, and a peer that left the namespace alone could come in again, to another bound.
   */
  end(): void {
    this.connection.close();
    const cut = () => {
      this.connection.close(true);
      this.connection.transport.socket?.terminate?.();
    };
    setTimeout(cut, LINGER_MS).unref();
  }
}
