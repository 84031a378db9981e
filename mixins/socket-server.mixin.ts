import type { Server as HttpServer } from 'node:http';
import type { Socket as TcpSocket } from 'node:net';
import SocketIOService from 'moleculer-io';
import type { Service, ServiceSchema } from 'moleculer';
import type { Server, ServerOptions, Socket } from 'socket.io';
import type { ServerConfig } from '../lib/config';
import { defineMixin } from '../lib/define-service';
import { scatterAckIds } from '../lib/gateway/encoded-event';
import { StuckConnections } from '../lib/gateway/stuck-connections';
import { gatherWrites } from '../lib/gather-writes';

export interface SocketServerService extends Service {
  io: Server;
  server: HttpServer;
  /** Open TCP connections, those of WebSockets among them. */
  connections: Set<TcpSocket>;
  stuck: NodeJS.Timeout;
  cutOffSoon(): void;
}

const OVERSIZE_BYTES = 65_536;
const CLOSE_TIMEOUT_MS = 1000;

type Handler = (this: Socket & { $service: Service }, message: unknown, ack: unknown) => void;

/**
 * moleculer-io with one namespace that only authorized sockets enter, on the HTTP server of the service. The service
 * adds the method `socketAuthorize`; its handlers get what arrives.
 */
export function socketServerMixin(config: ServerConfig, events: Record<string, Handler>): Partial<ServiceSchema> {
  return defineMixin<SocketServerService>({
    mixins: [SocketIOService as unknown as ServiceSchema],
    settings: {
      io: {
        options: {
          connectionStateRecovery: {
            maxDisconnectionDuration: config.socket.maxDisconnectionMs,
            // A recovered socket is a new login: its token is checked again.
            skipMiddlewares: false,
          },
          pingInterval: config.socket.pingIntervalMs,
          pingTimeout: config.socket.pingTimeoutMs,
          connectTimeout: config.socket.loginTimeoutMs,
          perMessageDeflate: false, // frames are made ahead (lib/gateway/encoded-event.ts); seals do not shrink anyway
          // An envelope somewhat too large gets an answer; the connection of one beyond this is closed.
          maxHttpBufferSize: config.limits.messageBytes + OVERSIZE_BYTES,
        },
        namespaces: { [config.socket.namespace]: { authorization: true, events } },
      },
    },
    actions: { broadcast: false, getClients: false },
    // Through the namespace that moleculer-io opens by default anybody could call any action of the mesh.
    merged(schema: ServiceSchema) {
      const { io } = schema.settings as { io: { namespaces: Record<string, unknown> } };
      delete io.namespaces['/'];
    },
    started(this: SocketServerService) {
      this.io.of('/').use((_socket, next) => next(new Error('unknown namespace')));
      limitStrangers(this.io, config);
      scatterAckIds(this.io.of(config.socket.namespace));
      this.connections = new Set();
      this.server.on('connection', (connection) => {
        this.connections.add(connection);
        gatherWrites(connection);
        connection.once('close', () => this.connections.delete(connection));
      });
      this.stuck = watchStuck(this, config);
    },
    stopped(this: SocketServerService) {
      clearInterval(this.stuck);
    },
    methods: {
      /** To be called before the HTTP server is closed: that waits half a minute for a peer that does not answer. */
      cutOffSoon(this: SocketServerService) {
        const cutOff = () => this.connections.forEach((connection) => connection.destroy());
        setTimeout(cutOff, CLOSE_TIMEOUT_MS).unref();
      },
    },
  });
}

/** Who takes nothing for as long as a heartbeat may take has gone, whatever it still sends. */
function watchStuck({ connections, logger }: SocketServerService, { socket }: ServerConfig): NodeJS.Timeout {
  const stuck = new StuckConnections(socket.pingIntervalMs + socket.pingTimeoutMs);
  const cut = () => {
    const count = stuck.cut(connections);
    if (count > 0) logger.warn('connections cut off whose peers read nothing', { event: 'stuck', count });
  };
  return setInterval(cut, socket.pingIntervalMs).unref();
}

/** Refuses new connections while too many are open that did not log in; each of them ends by itself. */
function limitStrangers(io: Server, { socket }: ServerConfig): void {
  const { sockets } = io.of(socket.namespace);
  const { opts } = io.engine as { opts: Partial<ServerOptions> };
  opts.allowRequest = (_request, decide) => {
    decide(null, io.engine.clientsCount - sockets.size < socket.maxStrangers);
  };
}
