import type { Context, ServiceSchema } from 'moleculer';
import type { AgentRecord, PartialRecord } from '../../lib/agents/agent-record';
import { ListOnDisk } from '../../lib/agents/list-on-disk';
import { watchListedKey } from '../../lib/agents/listed-key';
import { agentConfig, type AgentConfig } from '../../lib/config';
import { defineService } from '../../lib/define-service';
import { messageOf } from '../../lib/errors';
import { agentNodeMixin, type AgentNodeService } from '../../mixins/agent-node.mixin';
import { metricsOf } from '../../mixins/metrics.mixin';

interface DirectoryService extends AgentNodeService {
  onDisk: ListOnDisk;
  unwatch: () => void;
  keep(): void;
}

/** Who takes part and with which key, as the server last said, before this process included. */
export function directoryService(config: AgentConfig): ServiceSchema {
  return defineService<DirectoryService>({
    name: 'directory',
    mixins: [agentNodeMixin(config)],
    actions: {
      /** Everybody's id and name. */
      list: {
        visibility: 'public',
        handler(this: DirectoryService) {
          return this.node.directory.list().map(({ id, name }) => ({ id, name }));
        },
      },
      /** Takes the whole list. */
      replace: {
        visibility: 'public',
        params: { agents: 'array' },
        handler(this: DirectoryService, ctx: Context<{ agents: AgentRecord[] }>) {
          const diff = this.node.directory.replace(ctx.params.agents);
          this.keep();
          const { size: known } = this.node.directory;
          this.logger.info('agent list received', { event: 'list-received', known, removed: diff.removed.length });
        },
      },
      /** Takes what changed. */
      patch: {
        visibility: 'public',
        params: { agents: 'array' },
        handler(this: DirectoryService, ctx: Context<{ agents: PartialRecord[] }>) {
          const diff = this.node.directory.patch(ctx.params.agents);
          const [added, changed, removed] = [diff.added.length, diff.changed.length, diff.removed.length];
          this.keep();
          const { size: known } = this.node.directory;
          this.logger.info('agent list changed', { event: 'list-changed', known, added, changed, removed });
        },
      },
    },
    methods: {
      /** Not awaited: the list is good whether the disk takes it or not. */
      keep(this: DirectoryService) {
        const failed = (error: unknown) => this.logger.warn(`the agent list is not on the disk: ${messageOf(error)}`);
        this.onDisk.write(this.node.directory).catch(failed);
      },
    },
    started(this: DirectoryService) {
      this.onDisk = new ListOnDisk(this.node.store);
      const { keys, directory } = this.node;
      this.onDisk.read(directory);
      this.unwatch = watchListedKey(keys, directory, config.agentId, metricsOf(this.broker));
    },
    stopped(this: DirectoryService) {
      this.unwatch?.();
    },
  });
}

export default () => directoryService(agentConfig());
