import { Cron } from 'croner';
import type { Context, Service, ServiceActionsSchema, ServiceSchema } from 'moleculer';
import type { AgentSnapshot } from '../../lib/agents/agent-record';
import { askSnapshots } from '../../lib/agents/ask-snapshots';
import { fetchAgents, type CentOpsList } from '../../lib/agents/centops-client';
import { diffAgents, isEmptyDiff } from '../../lib/agents/directory';
import { isWhole, mergeAnswer, mergeSnapshot } from '../../lib/agents/sync';
import { serverConfig, type ServerConfig } from '../../lib/config';
import { defineService } from '../../lib/define-service';
import { messageOf } from '../../lib/errors';

/** How the last look at CentOps ended. */
export interface SyncResult {
  ok: boolean;
  agents: number;
  added: number;
  changed: number;
  removed: number;
  error?: string;
}

const FIRST_RETRY_MS = 2000;
/** A neighbour that does not answer at once is done without; the next look asks CentOps again. */
const ASK_NEIGHBOURS = { timeout: 1000, retries: 0 };

interface ConfigSyncService extends Service {
  current: AgentSnapshot | null;
  cron: Cron;
  retryTimer: NodeJS.Timeout | undefined;
  running: Promise<SyncResult> | null;
  sync(): Promise<SyncResult>;
  fetch(): Promise<SyncResult>;
  fromNeighbours(): Promise<void>;
  follow(snapshot: AgentSnapshot): void;
  take(answer: CentOpsList): Promise<SyncResult>;
  announce(): Promise<void>;
}

const actions: ServiceActionsSchema = {
  /** The list as it is now; null before the first good answer. */
  snapshot: {
    visibility: 'public',
    handler(this: ConfigSyncService): AgentSnapshot | null {
      return this.current;
    },
  },
  /** Looks at CentOps now and says how it ended. */
  sync: {
    visibility: 'public',
    timeout: 60_000,
    handler(this: ConfigSyncService) {
      return this.sync();
    },
  },
};

/** Keeps the agent list in step with CentOps and tells every node what changed. */
export function configSyncService(config: ServerConfig): ServiceSchema {
  return defineService<ConfigSyncService>({
    name: 'config-sync',
    actions,
    events: {
      /** A neighbour was quicker: its newer list is ours, so that it is not announced a second time. */
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
    },
    methods: {
      /** One look at a time; who asks during one gets its result. */
      sync(this: ConfigSyncService): Promise<SyncResult> {
        this.running ??= this.fetch().finally(() => (this.running = null));
        return this.running;
      },

      async fetch(this: ConfigSyncService): Promise<SyncResult> {
        clearTimeout(this.retryTimer);
        try {
          const answer = await fetchAgents(config.centOps);
          for (const why of answer.rejected) this.logger.warn(`CentOps lists an unusable agent: ${why}`);
          if (answer.agents.length === 0)
            this.logger.warn('CentOps lists no usable agent; nothing is removed for that');
          if (!this.current && !isWhole(answer)) await this.fromNeighbours();
          if (this.current || answer.agents.length > 0) return await this.take(answer);
        } catch (error) {
          this.logger.warn(`the agent list stays as it is: ${messageOf(error)}`);
          return { ...nothing(this.current), error: messageOf(error) };
        } finally {
          // Before the first list nobody can log in, so it is not left to the cron.
          if (!this.current && this.cron) this.retryTimer = setTimeout(() => void this.sync(), FIRST_RETRY_MS);
        }
        return { ...nothing(this.current), error: 'CentOps lists no usable agent' };
      },

      /** A node that begins with half an answer would know fewer agents than its neighbours. */
      async fromNeighbours(this: ConfigSyncService) {
        for (const snapshot of await askSnapshots(this.broker, ASK_NEIGHBOURS)) this.follow(snapshot);
      },

      follow(this: ConfigSyncService, snapshot: AgentSnapshot) {
        if (snapshot.fetchedAt <= (this.current?.fetchedAt ?? 0)) return;
        this.current = mergeSnapshot(this.current?.agents ?? [], snapshot);
      },

      async take(this: ConfigSyncService, answer: CentOpsList): Promise<SyncResult> {
        const before = this.current?.agents ?? [];
        const agents = mergeAnswer(before, answer);
        const diff = diffAgents(new Map(before.map((agent) => [agent.id, agent])), agents);
        const first = this.current === null;
        // Later than any list seen so far, so that the one of a node with a fast clock does not hide this.
        const fetchedAt = Math.max(Date.now(), (this.current?.fetchedAt ?? 0) + 1);
        this.current = { agents, fetchedAt, whole: isWhole(answer) };
        const [added, changed, removed] = [diff.added.length, diff.changed.length, diff.removed.length];
        if (first || !isEmptyDiff(diff))
          this.logger.info('agent list changed', { event: 'agents-changed', added, changed, removed });
        await this.announce();
        return { ok: true, agents: agents.length, added, changed, removed };
      },

      /** Also when nothing is new here: an earlier announcement may have been lost, and who has the list is not moved. */
      async announce(this: ConfigSyncService) {
        if (this.current) await this.broker.broadcast('agents.changed', this.current);
      },
    },
    created(this: ConfigSyncService) {
      this.current = null;
      this.running = null;
    },
    started(this: ConfigSyncService) {
      this.cron = new Cron(config.centOps.cron, () => void this.sync());
      void this.sync();
    },
    async stopped(this: ConfigSyncService) {
      this.cron?.stop();
      await this.running;
      clearTimeout(this.retryTimer);
    },
  });
}

function nothing(current: AgentSnapshot | null): SyncResult {
  return { ok: false, agents: current?.agents.length ?? 0, added: 0, changed: 0, removed: 0 };
}

export default () => configSyncService(serverConfig());
