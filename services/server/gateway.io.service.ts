import type { Context, ServiceSchema } from 'moleculer';
import type { Namespace } from 'socket.io';
import { serverConfig, type ServerConfig } from '../../lib/config';
import { defineService } from '../../lib/define-service';
import { AgentGateway, type AgentSocket } from '../../lib/gateway/agent-gateway';
import { operationsRoute, type HealthPart } from '../../lib/http/operations-route';
import { meshConnected, nodesWith } from '../../lib/mesh/nodes';
import { MESSAGE_UP } from '../../lib/protocol/events';
import { httpMixin } from '../../mixins/http.mixin';
import { metricsOf } from '../../mixins/metrics.mixin';
import { nodeRouterMixin, type NodeRouterService } from '../../mixins/node-router.mixin';
import { socketServerMixin, type SocketServerService } from '../../mixins/socket-server.mixin';

const TAKE_OVER_TIMEOUT_MS = 1000;

interface GatewayService extends NodeRouterService, SocketServerService {
  gateway: AgentGateway;
  agents: Namespace;
  dropElsewhere(agentId: string): Promise<void>;
}

const messageUp = {
  /** The ack comes last, behind however many arguments the agent sent; the first is the message. */
  [MESSAGE_UP](this: { $service: unknown }, ...args: unknown[]) {
    const { gateway } = this.$service as GatewayService;
    const ack = typeof args.at(-1) === 'function' ? args.pop() : undefined;
    void gateway.messageUp(this as unknown as AgentSocket, args[0], ack);
  },
};

/** The door of the mesh: agents log in here, messages go up and down; also the node's health and metrics over HTTP. */
export function gatewayService(config: ServerConfig): ServiceSchema {
  return defineService<GatewayService>({
    name: 'gateway.io',
    mixins: [httpMixin, socketServerMixin(config, messageUp), nodeRouterMixin(config)],
    settings: { port: config.port, routes: [operationsRoute()] },
    actions: {
      /** The agents connected to this node. */
      sessions: {
        visibility: 'public',
        handler(this: GatewayService) {
          return this.gateway.list();
        },
      },
      /** Drops an agent's socket on this node and answers when its queue is no longer consumed here. */
      drop: {
        visibility: 'public',
        params: { agentId: 'uuid' },
        handler(this: GatewayService, ctx: Context<{ agentId: string }>) {
          return this.gateway.drop(ctx.params.agentId);
        },
      },
      /** Stops consuming the queue of an agent whose socket is on this node; true when it was consumed. */
      pause: {
        visibility: 'public',
        params: { agentId: 'uuid' },
        handler(this: GatewayService, ctx: Context<{ agentId: string }>) {
          return this.nodeRouter.consumers.pause(ctx.params.agentId);
        },
      },
      /** Consumes it again. */
      resume: {
        visibility: 'public',
        params: { agentId: 'uuid' },
        async handler(this: GatewayService, ctx: Context<{ agentId: string }>) {
          await this.nodeRouter.consumers.resume(ctx.params.agentId);
        },
      },
    },
    methods: {
      /** Called by moleculer-io for each socket that wants in; what it throws reaches the agent as connect_error. */
      socketAuthorize(this: GatewayService, socket: AgentSocket) {
        return this.gateway.authorize(socket);
      },

      async dropElsewhere(this: GatewayService, agentId: string) {
        const others = nodesWith(this.broker, 'gateway.io').filter((nodeID) => nodeID !== this.broker.nodeID);
        const options = { timeout: TAKE_OVER_TIMEOUT_MS, retries: 0 };
        const drop = (nodeID: string) => this.broker.call('gateway.io.drop', { agentId }, { ...options, nodeID });
        await Promise.allSettled(others.map(drop)); // a node that does not answer must not keep the agent out
      },

      healthParts(this: GatewayService): Record<string, HealthPart> {
        const broker = this.nodeRouter.health();
        const { directory } = this.nodeRouter;
        return {
          broker: { ok: Object.values(broker).every(Boolean), ...broker },
          agents: { ok: directory.ready, known: directory.size, connected: this.gateway.size },
          mesh: { ok: meshConnected(this.broker) },
        };
      },
    },
    created(this: GatewayService) {
      const elsewhere = (agentId: string) => this.dropElsewhere(agentId);
      this.gateway = new AgentGateway(config, this.nodeRouter, elsewhere, metricsOf(this.broker), this.logger);
    },
    started(this: GatewayService) {
      this.agents = this.io.of(config.socket.namespace);
      this.agents.on('connection', (socket) => this.gateway.connected(socket as AgentSocket));
      this.nodeRouter.on('agents', (diff) => this.gateway.agentsChanged(this.agents, diff));
    },
    async stopped(this: GatewayService) {
      await this.gateway.close(this.agents);
    },
  });
}

export default () => gatewayService(serverConfig());
