import type { Context, ServiceSchema } from 'moleculer';
import type { AgentRecord, PartialRecord } from '../../lib/agents/agent-record';
import { agentConfig, type AgentConfig } from '../../lib/config';
import { defineService } from '../../lib/define-service';
import { agentNodeMixin, type AgentNodeService } from '../../mixins/agent-node.mixin';

/** Who takes part and with which key, as the server last said. */
export function directoryService(config: AgentConfig): ServiceSchema {
  return defineService<AgentNodeService>({
    name: 'directory',
    mixins: [agentNodeMixin(config)],
    actions: {
      /** Everybody's id and name. */
      list: {
        visibility: 'public',
        handler(this: AgentNodeService) {
          return this.node.directory.list().map(({ id, name }) => ({ id, name }));
        },
      },
      /** Takes the whole list. */
      replace: {
        visibility: 'public',
        params: { agents: 'array' },
        handler(this: AgentNodeService, ctx: Context<{ agents: AgentRecord[] }>) {
          const diff = this.node.directory.replace(ctx.params.agents);
          this.logger.info('agent list received', { known: this.node.directory.size, removed: diff.removed.length });
        },
      },
      /** Takes what changed. */
      patch: {
        visibility: 'public',
        params: { agents: 'array' },
        handler(this: AgentNodeService, ctx: Context<{ agents: PartialRecord[] }>) {
          const diff = this.node.directory.patch(ctx.params.agents);
          const [added, changed, removed] = [diff.added.length, diff.changed.length, diff.removed.length];
          this.logger.info('agent list changed', { known: this.node.directory.size, added, changed, removed });
        },
      },
    },
  });
}

export default () => directoryService(agentConfig());
