import type { Context, ServiceActionsSchema, ServiceSchema } from 'moleculer';
import type { AgentDiff, DepartedAgent } from '../../lib/agents/agent-record';
import { serverConfig, type ServerConfig } from '../../lib/config';
import { defineService } from '../../lib/define-service';
import { FinalError, messageOf, RetryableError } from '../../lib/errors';
import { nodesWith } from '../../lib/mesh/nodes';
import { agentsOverview } from '../../lib/router/agents-overview';
import { Retirement } from '../../lib/router/retirement';
import { nodeOf, routingTable } from '../../lib/router/routes';
import { whereabouts } from '../../lib/router/whereabouts';
import { nodeRouterMixin, type NodeRouterService } from '../../mixins/node-router.mixin';

/** Bounds of the pause between two looks at the queues of those who left. */
const RETIRE_EVERY_MS = { min: 250, max: 60_000 };

interface RouterService extends NodeRouterService {
  retirement: Retirement;
  retireAfterMs: number;
  agentTtlMs: number;
  retireTimer: NodeJS.Timeout | undefined;
  agentsChanged(diff: AgentDiff): Promise<void>;
  retireDue(): Promise<void>;
  atSocket(ctx: AgentContext, action: string): Promise<unknown>;
  knownAgent(agentId: string): void;
}

type AgentContext = Context<{ agentId: string }>;
const agentParams = { agentId: 'uuid' };

const actions: ServiceActionsSchema = {
  /** Declares the queue and the dead-letter queue of a listed agent. */
  declare: {
    visibility: 'public',
    params: agentParams,
    async handler(this: RouterService, { params: { agentId } }: AgentContext) {
      this.knownAgent(agentId);
      await this.nodeRouter.declare(agentId);
    },
  },
  /** Puts an envelope into its recipient's queue, by the same steps and with the same answers as an agent's. */
  publish: {
    visibility: 'public',
    params: { envelope: 'object' },
    handler(this: RouterService, { params: { envelope } }: Context<{ envelope: { senderId?: unknown } }>) {
      return this.nodeRouter.accept(String(envelope.senderId), envelope);
    },
  },
  /** Consumes the queue of an agent again, on the node that holds its socket, after it was detached. */
  attach: {
    visibility: 'public',
    params: agentParams,
    handler(this: RouterService, ctx: AgentContext) {
      return this.atSocket(ctx, 'gateway.io.resume');
    },
  },
  /** Stops consuming the queue of an agent; what is in flight goes back, its socket stays where it is. */
  detach: {
    visibility: 'public',
    params: agentParams,
    handler(this: RouterService, ctx: AgentContext) {
      return this.atSocket(ctx, 'gateway.io.pause');
    },
  },
  /**
   * Takes the queues of an agent that left CentOps out of use, see Retirement, also when nobody remembers that it was
   * there: the grace begins, for the whole mesh. `now` moves what waits without waiting for its end.
   */
  retire: {
    visibility: 'public',
    params: { ...agentParams, now: { type: 'boolean', optional: true } },
    async handler(this: RouterService, ctx: Context<{ agentId: string; now?: boolean }>) {
      const { agentId, now } = ctx.params;
      const { directory } = this.nodeRouter;
      if (!directory.ready) throw new RetryableError('AGENTS_UNKNOWN', 'The agent list is not there yet, try again');
      if (directory.get(agentId)) {
        throw new FinalError('AGENT_LISTED', `Agent ${agentId} is listed by CentOps; remove it there first`);
      }
      const departed = await ctx.call<DepartedAgent, object>('config-sync.depart', { agentId });
      this.nodeRouter.takeSnapshot({ agents: [], departed: [departed], missing: [] });
      return now ? this.retirement.finish(agentId) : this.retirement.step(agentId);
    },
  },
  /** Who takes part, where each is connected, with which key; and who left. */
  agents: {
    visibility: 'public',
    handler(this: RouterService) {
      return agentsOverview(this.broker, this.nodeRouter, this.retireAfterMs);
    },
  },
  /** Where a message is and what happened to it, as far as anybody remembers; `search` looks for it if nobody does. */
  message: {
    visibility: 'public',
    timeout: 180_000,
    params: { id: { type: 'string', min: 1, max: 64 }, search: { type: 'boolean', optional: true } },
    handler(this: RouterService, { params }: Context<{ id: string; search?: boolean }>) {
      return whereabouts(this.broker, this.nodeRouter, this.agentTtlMs, params);
    },
  },
  /** The live routing of the whole mesh. */
  routes: {
    visibility: 'public',
    params: { agentId: { type: 'uuid', optional: true } },
    handler(this: RouterService, { params: { agentId } }: Context<{ agentId?: string }>) {
      return routingTable(this.broker, this.nodeRouter, agentId);
    },
  },
};

/** Manages the queues of the agents: every step of their life is an action. */
export function routerService(config: ServerConfig): ServiceSchema {
  return defineService<RouterService>({
    name: 'router',
    mixins: [nodeRouterMixin(config)],
    actions,
    methods: {
      async agentsChanged(this: RouterService, diff: AgentDiff) {
        const later = (error: unknown) => this.logger.warn(`the agents' queues are managed later: ${messageOf(error)}`);
        // Queues are declared again at the next connection and with the first message that finds none.
        await this.nodeRouter.declareMany(diff.added.map(({ id }) => id)).catch(later);
      },
      /** One node of the mesh does it for all; two that both think so do no harm. */
      async retireDue(this: RouterService) {
        const leads = nodesWith(this.broker, 'router')[0] === this.broker.nodeID;
        if (this.retirement.due().length > 0 && leads) {
          await this.askForSnapshot(); // somebody may be back who was announced without this node
          await this.retirement.goOn();
        }
        const pause = Math.min(RETIRE_EVERY_MS.max, Math.max(RETIRE_EVERY_MS.min, config.retireAfterMs));
        if (this.retireTimer) this.retireTimer = setTimeout(() => void this.retireDue(), pause);
      },
      /** Calls the gateway that holds the agent's socket. */
      async atSocket(this: RouterService, ctx: AgentContext, action: string) {
        const { agentId } = ctx.params;
        const nodeID = await nodeOf(this.broker, agentId);
        if (!nodeID) throw new FinalError('AGENT_NOT_CONNECTED', `Agent ${agentId} is connected to no node`);
        return ctx.call(action, { agentId }, { nodeID });
      },
      knownAgent(this: RouterService, agentId: string) {
        if (this.nodeRouter.directory.get(agentId)) return;
        throw new FinalError('AGENT_UNKNOWN', `Agent ${agentId} is not listed by CentOps`);
      },
    },
    created(this: RouterService) {
      this.retireAfterMs = config.retireAfterMs;
      this.agentTtlMs = config.ttl.agentTtlMs;
      this.retirement = new Retirement(this.nodeRouter, config.retireAfterMs, this.logger);
      this.nodeRouter.on('agents', (diff) => void this.agentsChanged(diff));
    },
    started(this: RouterService) {
      this.retireTimer = setTimeout(() => void this.retireDue(), RETIRE_EVERY_MS.min);
    },
    stopped(this: RouterService) {
      clearTimeout(this.retireTimer);
      this.retireTimer = undefined;
    },
  });
}

export default () => routerService(serverConfig());
