import type { Context, ServiceActionsSchema, ServiceSchema } from 'moleculer';
import type { Namespace } from 'socket.io';
import { serverConfig, type ServerConfig } from '../../lib/config';
import { defineService } from '../../lib/define-service';
import { AgentGateway, type AgentSocket } from '../../lib/gateway/agent-gateway';
import { operationsRoute } from '../../lib/http/operations-route';
import { Neighbours, type GatewayState } from '../../lib/gateway/neighbours';
import type { Login } from '../../lib/gateway/rivals';
import { beforeStop } from '../../lib/mesh/before-stop';
import { watchGaps } from '../../lib/mesh/gaps';
import { addHealth, type HealthParts } from '../../lib/mesh/health';
import { MESSAGE_UP } from '../../lib/protocol/events';
import { httpMixin } from '../../mixins/http.mixin';
import { metricsOf } from '../../mixins/metrics.mixin';
import { nodeRouterMixin, type NodeRouterService } from '../../mixins/node-router.mixin';
import { socketServerMixin, type SocketServerService } from '../../mixins/socket-server.mixin';

interface GatewayService extends NodeRouterService, SocketServerService {
  gateway: AgentGateway;
  agents: Namespace;
  neighbours: Neighbours;
  gaps: NodeJS.Timeout;
  healthParts(): HealthParts;
  endHealth: () => void;
}

const loginParams = { agentId: 'uuid', since: 'number', nodeID: 'string' };

const messageUp = {
  /** The ack comes last, behind however many arguments the agent sent; the first is the message. */
  [MESSAGE_UP](this: { $service: unknown }, ...args: unknown[]) {
    const { gateway } = this.$service as GatewayService;
    const ack = typeof args.at(-1) === 'function' ? args.pop() : undefined;
    void gateway.messageUp(this as unknown as AgentSocket, args[0], ack);
  },
};

const actions: ServiceActionsSchema = {
  /** The agents connected to this node. */
  sessions: {
    visibility: 'public',
    handler(this: GatewayService) {
      return this.gateway.list();
    },
  },
  /** Gives way to a login on another node: answers when the agent's queue is no longer consumed here, or is kept. */
  drop: {
    visibility: 'public',
    params: loginParams,
    handler(this: GatewayService, ctx: Context<Login>) {
      return this.gateway.sessions.yieldTo(ctx.params);
    },
  },
  /** The agents of these logins, of a node that was out of reach, whose login here is newer; an older one ends. */
  compare: {
    visibility: 'public',
    params: { logins: { type: 'array', items: { type: 'object', props: loginParams } } },
    handler(this: GatewayService, ctx: Context<{ logins: Login[] }>) {
      return this.gateway.sessions.compare(ctx.params.logins);
    },
  },
  /** Whether this node lets agents in, and how many it has. */
  state: {
    visibility: 'public',
    handler(this: GatewayService): GatewayState {
      const { directory } = this.nodeRouter;
      const ready = directory.ready && this.nodeRouter.health().ok;
      return { leaving: this.gateway.isLeaving, ready, agents: this.gateway.size };
    },
  },
  /**
   * Sends the agents of this node to the others, as a node does that is about to stop, lets nobody in and goes on
   * running; health says `leaving`. `undo` lets them in again. Refuses on the last open gateway unless it must (`force`).
   */
  drain: {
    visibility: 'public',
    timeout: 120_000,
    params: { force: { type: 'boolean', optional: true }, undo: { type: 'boolean', optional: true } },
    async handler(this: GatewayService, { params }: Context<{ force?: boolean; undo?: boolean }>) {
      if (params.undo) {
        await this.gateway.comeBack();
        return { agents: this.gateway.size, stayed: this.gateway.size };
      }
      return this.gateway.drain(async () => params.force === true || (await this.neighbours.anyOpen()));
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
};

/** The door of the mesh: agents log in here, messages go up and down; also the node's health and metrics over HTTP. */
export function gatewayService(config: ServerConfig): ServiceSchema {
  return defineService<GatewayService>({
    name: 'gateway.io',
    mixins: [httpMixin, socketServerMixin(config, messageUp), nodeRouterMixin(config)],
    settings: { port: config.port, routes: [operationsRoute(config)] },
    actions,
    events: {
      /** A queue was declared that had been deleted: its consumer may be one that RabbitMQ gives nothing any more. */
      'queue.redeclared': {
        // Nodes of earlier versions do not say for how long it was missing.
        params: { agentId: 'uuid', missingForMs: { type: 'number', optional: true } },
        async handler(this: GatewayService, ctx: Context<{ agentId: string; missingForMs?: number }>) {
          await this.nodeRouter.consumers.renew(ctx.params.agentId, ctx.params.missingForMs);
        },
      },
      /** A node that was out of reach was not asked to give way to the logins of that time. */
      '$transporter.connected': {
        handler(this: GatewayService) {
          void this.neighbours.compare(this.gateway.sessions);
        },
      },
      '$node.connected': {
        handler(this: GatewayService, ctx: Context<{ node: { id: string } }>) {
          void this.neighbours.compare(this.gateway.sessions, ctx.params.node.id);
        },
      },
    },
    methods: {
      /** Called by moleculer-io for each socket that wants in; what it throws reaches the agent as connect_error. */
      socketAuthorize(this: GatewayService, socket: AgentSocket) {
        return this.gateway.authorize(socket);
      },

      /** Beside those of the router, which has begun to speak before. */
      healthParts(this: GatewayService): HealthParts {
        const { ready, size } = this.nodeRouter.directory;
        return {
          agents: { ok: ready, known: size, connected: this.gateway.size },
          leaving: { ok: !this.gateway.isLeaving },
        };
      },
    },
    created(this: GatewayService) {
      const { broker, nodeRouter, logger } = this;
      this.neighbours = new Neighbours(broker);
      const takeOver = (login: Login) => this.neighbours.takeOver(login);
      this.gateway = new AgentGateway(config, nodeRouter, broker.nodeID, takeOver, metricsOf(broker), logger);
      this.endHealth = addHealth(broker, () => this.healthParts());
      beforeStop(broker, () => this.gateway.leave());
    },
    started(this: GatewayService) {
      this.agents = this.io.of(config.socket.namespace);
      this.agents.on('connection', (socket) => this.gateway.connected(socket as AgentSocket));
      this.nodeRouter.on('agents', (diff) => this.gateway.agentsChanged(this.agents, diff));
      this.nodeRouter.on('redeclared', (agentId, missingForMs) => {
        void this.broker.broadcast('queue.redeclared', { agentId, missingForMs });
      });
      // Logins elsewhere were not announced to a process that stood still for long, see `$node.connected`.
      this.gaps = watchGaps(() => void this.neighbours.compare(this.gateway.sessions));
    },
    async stopped(this: GatewayService) {
      clearInterval(this.gaps);
      this.endHealth();
      await this.gateway.close(this.agents);
      this.cutOffSoon();
    },
  });
}

export default () => gatewayService(serverConfig());
