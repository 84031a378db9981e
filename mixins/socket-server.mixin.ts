import SocketIOService from 'moleculer-io';
import type { Service, ServiceSchema } from 'moleculer';
import type { Server, Socket } from 'socket.io';
import type { ServerConfig } from '../lib/config';
import { defineMixin } from '../lib/define-service';

export interface SocketServerService extends Service {
  io: Server;
}

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
    },
  });
}
