import { Cron } from 'croner';
import type { Context, Service, ServiceActionsSchema, ServiceSchema } from 'moleculer';
import type { AgentSnapshot, DepartedAgent } from '../../lib/agents/agent-record';
import { AgentList } from '../../lib/agents/agent-list';
import { askSnapshot, askSnapshots } from '../../lib/agents/ask-snapshots';
import { fetchAgents, type CentOpsList } from '../../lib/agents/centops-client';
import { departedSpanMs } from '../../lib/agents/merge';
import { reportLook } from '../../lib/agents/report-look';
import { SyncMetrics } from '../../lib/agents/sync-metrics';
import { serverConfig, type ServerConfig } from '../../lib/config';
import { defineService } from '../../lib/define-service';
import { messageOf, RetryableError } from '../../lib/errors';
import { nodesWith } from '../../lib/mesh/nodes';
import { metricsOf } from '../../mixins/metrics.mixin';

/** How the last look at CentOps ended. */
export interface SyncResult {
  ok: boolean;
  agents: number;
  added: number;
  changed: number;
  removed: number;
  /** Agents that CentOps lists no longer and that are kept so far. */
  missing: number;
  error?: string;
}

const FIRST_RETRY_MS = 2000;
const SHORTEST_PAUSE_MS = 100;
/** A neighbour that does not answer at once is done without; the next look asks CentOps again. */
const ASK_NEIGHBOURS = { timeout: 1000, retries: 0 };

interface ConfigSyncService extends Service {
  list: AgentList;
  metrics: SyncMetrics;
  cron: Cron;
  stopping: AbortController;
  /** The look to come before the cron's next. */
  next: { at: number; timer: NodeJS.Timeout } | undefined;
  lastLook: number;
  running: Promise<SyncResult> | null;
  sync(options?: { accept?: boolean; fresh?: boolean }): Promise<SyncResult>;
  look(accept: boolean): Promise<SyncResult>;
  lookSoon(inMs: number): void;
  fromNeighbours(): Promise<void>;
  meet(nodeID: string): Promise<void>;
  follow(snapshot: AgentSnapshot): void;
  take(answer: CentOpsList, lookedAt: number, accept: boolean): Promise<SyncResult>;
  announce(): Promise<void>;
}

const actions: ServiceActionsSchema = {
  /** What this node knows of the list; null before the first good answer. */
  snapshot: {
    visibility: 'public',
    handler(this: ConfigSyncService): AgentSnapshot | null {
      return this.list.snapshot;
    },
  },
  /**
   * Looks at CentOps now and says how it ended. `accept`: whoever a whole answer lacks has left, be it nearly everybody;
   * no further look confirms it.
   */
  sync: {
    visibility: 'public',
    timeout: 120_000,
    params: { accept: { type: 'boolean', optional: true } },
    handler(this: ConfigSyncService, { params: { accept } }: Context<{ accept?: boolean }>) {
      return this.sync({ accept, fresh: accept });
    },
  },
  /** Tells the whole mesh that an agent left of which nobody knows, see AgentList `depart`. */
  depart: {
    visibility: 'public',
    params: { agentId: 'uuid' },
    async handler(this: ConfigSyncService, ctx: Context<{ agentId: string }>): Promise<DepartedAgent> {
      const departed = this.list.depart(ctx.params.agentId);
      await this.announce();
      return departed;
    },
  },
};

const events: ServiceSchema['events'] = {
  'agents.changed': {
    handler(this: ConfigSyncService, ctx: Context<AgentSnapshot>) {
      this.follow(ctx.params);
    },
  },
  /** What was announced while this node was cut off reached nobody. */
  '$transporter.connected': {
    handler(this: ConfigSyncService) {
      return this.announce();
    },
  },
  '$node.connected': {
    handler(this: ConfigSyncService, ctx: Context<{ node: { id: string } }>) {
      return this.meet(ctx.params.node.id);
    },
  },
  /** Its services have started: only now do events reach them. */
  '$node.updated': {
    handler(this: ConfigSyncService, ctx: Context<{ node: { id: string } }>) {
      return this.meet(ctx.params.node.id);
    },
  },
};

const methodsOf = (config: ServerConfig) => {
  const thirdMs = Math.max(SHORTEST_PAUSE_MS, config.centOps.removeAfterMs / 3);
  return {
    /** One look at a time; who asks during one gets its result, or with `fresh` that of another one after it. */
    sync(this: ConfigSyncService, { accept = false, fresh = false } = {}): Promise<SyncResult> {
      const before = this.running;
      if (before && !fresh) return before;
      const run = (async () => {
        await before;
        return this.look(accept);
      })().finally(() => {
        if (this.running === run) this.running = null;
      });
      return (this.running = run);
    },

    async look(this: ConfigSyncService, accept: boolean): Promise<SyncResult> {
      clearTimeout(this.next?.timer);
      this.next = undefined;
      this.lastLook = Date.now();
      try {
        // They know who left, and have a list when CentOps is away.
        if (!this.list.snapshot) await this.fromNeighbours();
        const lookedAt = this.list.beginLook();
        const answer = await fetchAgents(config.centOps, this.stopping.signal);
        return await this.take(answer, lookedAt, accept);
      } catch (error) {
        this.list.fail();
        if (!this.stopping.signal.aborted) {
          this.metrics.looked('failed');
          this.logger.warn(`the agent list stays as it is: ${messageOf(error)}`);
        }
        return { ...result(this.list), ok: false, error: messageOf(error) };
      } finally {
        // Before the first list nobody can log in, so it is not left to the cron.
        if (!this.list.snapshot) this.lookSoon(FIRST_RETRY_MS);
        else if (this.list.snapshot.missing.length > 0) this.lookSoon(thirdMs);
      }
    },

    lookSoon(this: ConfigSyncService, inMs: number) {
      const at = Date.now() + inMs;
      if (this.stopping.signal.aborted || (this.next && this.next.at <= at)) return;
      clearTimeout(this.next?.timer);
      const look = () => {
        this.next = undefined;
        void this.sync({ fresh: true });
      };
      this.next = { at, timer: setTimeout(look, inMs) };
    },

    async fromNeighbours(this: ConfigSyncService) {
      for (const snapshot of await askSnapshots(this.broker, ASK_NEIGHBOURS)) this.follow(snapshot);
    },

    /** A node that was not there has heard nothing, and may know what nobody here does. One node tells it. */
    async meet(this: ConfigSyncService, nodeID: string) {
      const others = nodesWith(this.broker, 'config-sync').filter((id) => id !== nodeID);
      if (others[0] === this.broker.nodeID) await this.announce();
      const snapshot = await askSnapshot(this.broker, nodeID, ASK_NEIGHBOURS);
      if (snapshot) this.follow(snapshot);
    },

    /** A neighbour that sees somebody missing, or gone, is not simply believed: what does CentOps tell this node? */
    follow(this: ConfigSyncService, snapshot: AgentSnapshot) {
      const doubts = this.list.follow(snapshot);
      if (doubts.gone) this.lookSoon(SHORTEST_PAUSE_MS);
      else if (doubts.missing) this.lookSoon(Math.max(SHORTEST_PAUSE_MS, this.lastLook + thirdMs - Date.now()));
    },

    async take(this: ConfigSyncService, answer: CentOpsList, lookedAt: number, accept: boolean): Promise<SyncResult> {
      if (!this.list.snapshot && answer.agents.length === 0) {
        throw new RetryableError('CENTOPS_ANSWER_INVALID', 'CentOps lists no usable agent');
      }
      const taken = this.list.take(answer, lookedAt, accept);
      reportLook(this.logger, this.metrics, answer, taken, this.list.size);
      await this.announce();
      const { added, changed, removed } = taken.diff;
      const counts = { added: added.length, changed: changed.length, removed: removed.length };
      return { ...result(this.list), ...counts, missing: taken.missing };
    },

    /** Also when nothing is new here: an earlier announcement may have been lost, and who has the list is not moved. */
    async announce(this: ConfigSyncService) {
      const { snapshot } = this.list;
      if (snapshot) await this.broker.broadcast('agents.changed', snapshot);
    },
  };
};

/** Keeps the agent list in step with CentOps and tells every node what changed. */
export function configSyncService(config: ServerConfig): ServiceSchema {
  return defineService<ConfigSyncService>({
    name: 'config-sync',
    actions,
    events,
    methods: methodsOf(config),
    created(this: ConfigSyncService) {
      this.list = new AgentList(config.centOps.removeAfterMs, departedSpanMs(config));
      this.metrics = new SyncMetrics(metricsOf(this.broker));
      this.stopping = new AbortController();
      this.lastLook = 0;
      this.running = null;
    },
    started(this: ConfigSyncService) {
      this.cron = new Cron(config.centOps.cron, () => void this.sync());
      void this.sync();
    },
    async stopped(this: ConfigSyncService) {
      this.cron?.stop();
      this.stopping.abort();
      clearTimeout(this.next?.timer);
      await this.running;
      this.metrics.stop();
    },
  });
}

function result(list: AgentList): SyncResult {
  const missing = list.snapshot?.missing.length ?? 0;
  return { ok: true, agents: list.size, added: 0, changed: 0, removed: 0, missing };
}

export default () => configSyncService(serverConfig());
