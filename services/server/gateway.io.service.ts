import type { Server as HttpServer } from 'node:http';
import type { Context, ServiceSchema } from 'moleculer';
import SocketIOService from 'moleculer-io';
import type { Namespace, Server, Socket } from 'socket.io';
import type { AgentDiff } from '../../lib/agents/agent-record';
import { serverConfig, type ServerConfig } from '../../lib/config';
import { TokenError, verifyToken } from '../../lib/crypto/token';
import { defineService } from '../../lib/define-service';
import { DmrError, messageOf } from '../../lib/errors';
import { AgentSession } from '../../lib/gateway/agent-session';
import { AgentSessions } from '../../lib/gateway/agent-sessions';
import { listenSpanMs, partialList, tokenOf } from '../../lib/gateway/handshake';
import { operationsRoute, type HealthPart } from '../../lib/http/operations-route';
import { nodesWith } from '../../lib/mesh/nodes';
import { MESSAGE_UP, PARTIAL_LIST } from '../../lib/protocol/events';
import { secondsSince, type Metrics } from '../../lib/telemetry/metrics';
import { httpMixin } from '../../mixins/http.mixin';
import { metricsOf } from '../../mixins/metrics.mixin';
import { nodeRouterMixin, type NodeRouterService } from '../../mixins/node-router.mixin';

const TAKE_OVER_TIMEOUT_MS = 1000;

interface AgentSocket extends Socket {
  $service: GatewayService;
  data: { agentId: string };
}

interface GatewayService extends NodeRouterService {
  io: Server;
  server: HttpServer;
  count: Metrics;
  sessions: AgentSessions;
  agentsNamespace: Namespace;
  connected(socket: AgentSocket): void;
  disconnected(session: AgentSession): void;
  messageUp(socket: AgentSocket, message: unknown, ack: unknown): Promise<void>;
  agentsChanged(diff: AgentDiff): void;
  dropElsewhere(agentId: string, since: number): Promise<void>;
}

/** The door of the mesh: agents log in here, messages go up and down; also the node's health and metrics over HTTP. */
export function gatewayService(config: ServerConfig): ServiceSchema {
  const { namespace } = config.socket;
  return defineService<GatewayService>({
    name: 'gateway.io',
    mixins: [httpMixin, SocketIOService as unknown as ServiceSchema, nodeRouterMixin(config)],
    settings: {
      port: config.port,
      routes: [operationsRoute()],
      io: {
        options: {
          connectionStateRecovery: {
            maxDisconnectionDuration: config.socket.maxDisconnectionMs,
            // A recovered socket is a new login: its token is checked again.
            skipMiddlewares: false,
          },
        },
        namespaces: {
          [namespace]: {
            authorization: true,
            events: {
              [MESSAGE_UP](this: AgentSocket, message: unknown, ack: unknown) {
                void this.$service.messageUp(this, message, ack);
              },
            },
          },
        },
      },
    },
    // Without this anybody could call any action of the mesh through moleculer-io's default namespace.
    merged(schema: ServiceSchema) {
      delete (schema.settings as { io: { namespaces: Record<string, unknown> } }).io.namespaces['/'];
    },
    actions: {
      broadcast: false,
      getClients: false,
      /** The agents connected to this node. */
      sessions: {
        visibility: 'public',
        handler(this: GatewayService) {
          return this.sessions.list();
        },
      },
      /** Drops an agent's socket on this node; `before`: only a login earlier than that, ms since the epoch. */
      drop: {
        visibility: 'public',
        params: { agentId: 'uuid', before: { type: 'number', optional: true } },
        handler(this: GatewayService, ctx: Context<{ agentId: string; before?: number }>) {
          return this.sessions.drop(ctx.params.agentId, ctx.params.before);
        },
      },
    },
    methods: {
      /** Called by moleculer-io in the namespace's middleware; what it throws reaches the agent as connect_error. */
      async socketAuthorize(this: GatewayService, socket: AgentSocket) {
        try {
          const { directory } = this.nodeRouter;
          if (!directory.ready) throw new TokenError('the agent list is not there yet, try again');
          socket.data.agentId = await verifyToken(
            tokenOf(socket),
            (id) => directory.keyOf(id),
            config.socket.tokenMaxAgeMs,
          );
        } catch (error) {
          this.count.inc('dmr_socket_errors_total');
          const code = error instanceof DmrError ? error.code : 'INTERNAL';
          this.logger.warn('login refused', { event: 'login-refused', code, why: messageOf(error) });
          throw Object.assign(new Error(error instanceof DmrError ? error.message : 'Login failed'), {
            data: { code },
          });
        }
      },

      connected(this: GatewayService, socket: AgentSocket) {
        const { agentId } = socket.data;
        const onSend = (event: string) => this.count.inc('dmr_socket_events_sent_total', { event, namespace });
        const session = new AgentSession(agentId, socket, listenSpanMs(config.delivery), onSend);
        socket.on('disconnect', () => this.disconnected(session));
        socket.on('error', () => this.count.inc('dmr_socket_errors_total'));
        this.count.inc('dmr_socket_connections_total');
        this.logger.info('agent connected', { event: 'login', agentId });
        void this.sessions.login(session);
        this.count.set('dmr_socket_connections_active', this.sessions.size);
      },

      disconnected(this: GatewayService, session: AgentSession) {
        this.logger.info('agent disconnected', { event: 'logout', agentId: session.agentId });
        void this.sessions.logout(session);
        this.count.inc('dmr_socket_disconnections_total');
        this.count.set('dmr_socket_connections_active', this.sessions.size);
        this.count.observe('dmr_socket_connection_duration_seconds', (Date.now() - session.since) / 1000);
      },

      /** Hop 3: the ack goes out after the broker's confirm. A handler that throws would end the process. */
      async messageUp(this: GatewayService, socket: AgentSocket, message: unknown, ack: unknown) {
        const started = performance.now();
        this.count.inc('dmr_socket_events_received_total', { event: MESSAGE_UP, namespace });
        try {
          const answer = await this.nodeRouter.accept(socket.data.agentId, message);
          if (typeof ack === 'function') (ack as (answer: unknown) => void)(answer);
        } catch (error) {
          this.count.inc('dmr_socket_errors_total');
          this.logger.error(`a message could not be answered: ${messageOf(error)}`);
        }
        this.count.observe('dmr_message_processing_duration_seconds', secondsSince(started), { event: MESSAGE_UP });
      },

      /** Agents that left or got another key lose their socket; everybody hears what changed. */
      agentsChanged(this: GatewayService, diff: AgentDiff) {
        for (const { id } of [...diff.removed, ...diff.rekeyed]) this.sessions.drop(id);
        this.agentsNamespace.emit(PARTIAL_LIST, [partialList(diff)]);
        this.count.inc('dmr_socket_events_sent_total', { event: PARTIAL_LIST, namespace }, this.sessions.size);
      },

      async dropElsewhere(this: GatewayService, agentId: string, since: number) {
        const others = nodesWith(this.broker, 'gateway.io').filter((nodeID) => nodeID !== this.broker.nodeID);
        const calls = others.map((nodeID) =>
          this.broker.call(
            'gateway.io.drop',
            { agentId, before: since },
            { nodeID, timeout: TAKE_OVER_TIMEOUT_MS, retries: 0 },
          ),
        );
        await Promise.allSettled(calls); // a node that does not answer must not keep the agent out
      },

      async healthParts(this: GatewayService): Promise<Record<string, HealthPart>> {
        const broker = this.nodeRouter.health();
        this.count.set('dmr_broker_connected', broker.publishing && broker.consuming ? 1 : 0);
        const { directory } = this.nodeRouter;
        return {
          broker: { ok: Object.values(broker).every(Boolean), ...broker },
          agents: { ok: directory.ready, known: directory.size, connected: this.sessions.size },
          mesh: { ok: this.broker.transit?.connected ?? true },
        };
      },
    },
    created(this: GatewayService) {
      this.count = metricsOf(this.broker);
      const elsewhere = (agentId: string, since: number) => this.dropElsewhere(agentId, since);
      this.sessions = new AgentSessions(this.nodeRouter, config.socket.listGraceMs, elsewhere, this.logger);
    },
    started(this: GatewayService) {
      this.io.of('/').use((_socket, next) => next(new Error('unknown namespace')));
      this.agentsNamespace = this.io.of(namespace);
      this.agentsNamespace.on('connection', (socket) => this.connected(socket as AgentSocket));
      this.nodeRouter.on('agents', (diff) => this.agentsChanged(diff));
    },
    async stopped(this: GatewayService) {
      this.agentsNamespace?.disconnectSockets(true);
      await this.sessions.settled();
    },
  });
}

export default () => gatewayService(serverConfig());
