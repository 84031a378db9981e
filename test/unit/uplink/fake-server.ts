import { once } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Server, type Socket } from 'socket.io';
import { FULL_LIST, MESSAGE_UP } from '../../../lib/protocol/events';
import { NAMESPACE } from '../../helpers/deployed-agent';

interface FakeServerOptions {
  port?: number;
  tls?: { key: string; cert: string };
  /** Lets a socket in or refuses it; everybody is let in without one. */
  middleware?: (socket: Socket, next: (error?: Error) => void) => void;
}

/** A server as far as an uplink sees it: it lets sockets in, sends them an empty list and acks what they send. */
export class FakeServer {
  /** Every socket that came in, the latest last. */
  readonly sockets: Socket[] = [];
  /** Every message that came up. */
  readonly messages: unknown[] = [];
  /** What messages are answered with, once it resolves. */
  answer: () => Promise<unknown> = () => Promise.resolve({ status: 'ok' });

  private constructor(
    private readonly http: HttpServer,
    private readonly io: Server,
    private readonly scheme: string,
  ) {}

  static async start({ port = 0, tls, middleware }: FakeServerOptions = {}): Promise<FakeServer> {
    const http = tls ? createTlsServer(tls) : createServer();
    const io = new Server(http);
    const server = new FakeServer(http, io, tls ? 'https' : 'http');
    const agents = io.of(NAMESPACE);
    if (middleware) agents.use(middleware);
    agents.on('connection', (socket) => server.admit(socket));
    http.listen(port, '127.0.0.1');
    await once(http, 'listening');
    return server;
  }

  get port(): number {
    return (this.http.address() as AddressInfo).port;
  }

  get url(): string {
    return `${this.scheme}://127.0.0.1:${this.port}`;
  }

  /** The latest socket. */
  get socket(): Socket {
    return this.sockets.at(-1) as Socket;
  }

  async close(): Promise<void> {
    await this.io.close();
  }

  private admit(socket: Socket): void {
    this.sockets.push(socket);
    socket.on(MESSAGE_UP, (message: unknown, ack: (answer: unknown) => void) => {
      this.messages.push(message);
      void this.answer().then(ack);
    });
    socket.emit(FULL_LIST, [[]]);
  }
}
