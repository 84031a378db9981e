import type { Context, ServiceSchema } from 'moleculer';
import { agentConfig, type AgentConfig } from '../../lib/config';
import { defineService } from '../../lib/define-service';
import { DuplicateWindow } from '../../lib/inbox/duplicate-window';
import { receive, type ReceiveContext } from '../../lib/inbox/receive';
import { agentNodeMixin, type AgentNodeService } from '../../mixins/agent-node.mixin';
import { metricsOf } from '../../mixins/metrics.mixin';

/** A message lives for the lifetime of its queue plus, once dead-lettered and replayed, that of the other. */
const DUPLICATE_SPAN_MS = 25 * 60 * 60 * 1000;
const DUPLICATE_ENTRIES = 1_000_000;

interface InboxService extends AgentNodeService {
  delivered: DuplicateWindow;
  underWay: ReceiveContext['underWay'];
}

/** Messages that arrive: opened, checked, handed to the chatbot once. */
export function inboxService(config: AgentConfig): ServiceSchema {
  return defineService<InboxService>({
    name: 'inbox',
    mixins: [agentNodeMixin(config)],
    actions: {
      /** Receives one sealed message and answers as the wire contract says; never throws. */
      receive: {
        visibility: 'public',
        tracing: false,
        handler(this: InboxService, ctx: Context<{ message: unknown }>) {
          const { delivered, underWay, node, logger: log } = this;
          const metrics = metricsOf(this.broker);
          return receive({ ...node, delivered, underWay, metrics, log }, ctx.params.message);
        },
      },
    },
    created(this: InboxService) {
      this.delivered = new DuplicateWindow(DUPLICATE_SPAN_MS, DUPLICATE_ENTRIES);
      this.underWay = new Map();
    },
  });
}

export default () => inboxService(agentConfig());
