import { Cron } from 'croner';
import type { Context, Service, ServiceSchema } from 'moleculer';
import type { AgentRecord, AgentSnapshot } from '../../lib/agents/agent-record';
import { fetchAgents } from '../../lib/agents/centops-client';
import { diffAgents, isEmptyDiff } from '../../lib/agents/directory';
import { mergeAnswer } from '../../lib/agents/sync';
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

interface ConfigSyncService extends Service {
  current: AgentSnapshot | null;
  cron: Cron;
  retryTimer: NodeJS.Timeout | undefined;
  running: Promise<SyncResult> | null;
  sync(): Promise<SyncResult>;
  fetch(): Promise<SyncResult>;
  take(agents: AgentRecord[]): Promise<SyncResult>;
}

/** Keeps the agent list in step with CentOps and tells every node what changed. */
export function configSyncService(config: ServerConfig): ServiceSchema {
  return defineService<ConfigSyncService>({
    name: 'config-sync',
    actions: {
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
    },
    events: {
      /** A neighbour was quicker: its newer list is ours, so that it is not announced a second time. */
      'agents.changed': {
        handler(this: ConfigSyncService, ctx: Context<AgentSnapshot>) {
          if (ctx.params.fetchedAt > (this.current?.fetchedAt ?? 0)) this.current = ctx.params;
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
          const merged = mergeAnswer(this.current?.agents ?? [], answer);
          if (merged.length > 0) return await this.take(merged);
        } catch (error) {
          this.logger.warn(`the agent list stays as it is: ${messageOf(error)}`);
          return { ...nothing(this.current), error: messageOf(error) };
        } finally {
          // Before the first list nobody can log in, so it is not left to the cron.
          if (!this.current && this.cron) this.retryTimer = setTimeout(() => void this.sync(), FIRST_RETRY_MS);
        }
        return { ...nothing(this.current), error: 'CentOps lists no usable agent' };
      },

      async take(this: ConfigSyncService, agents: AgentRecord[]): Promise<SyncResult> {
        const before = new Map(this.current?.agents.map((agent) => [agent.id, agent]));
        const diff = diffAgents(before, agents);
        const first = this.current === null;
        this.current = { agents, fetchedAt: Date.now() };
        const [added, changed, removed] = [diff.added.length, diff.changed.length, diff.removed.length];
        if (first || !isEmptyDiff(diff)) {
          this.logger.info('agent list changed', { event: 'agents-changed', added, changed, removed });
          await this.broker.broadcast('agents.changed', this.current);
        }
        return { ok: true, agents: agents.length, added, changed, removed };
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
