import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Context, ServiceSchema } from 'moleculer';
import { agentConfig, type AgentConfig } from '../../lib/config';
import { defineService } from '../../lib/define-service';
import { ArrivalOrder } from '../../lib/inbox/arrival-order';
import { ChatbotGate } from '../../lib/inbox/chatbot-gate';
import { DuplicateWindow } from '../../lib/inbox/duplicate-window';
import { receive, type ReceiveContext } from '../../lib/inbox/receive';
import { tracingOf } from '../../lib/mesh/tracing-hook';
import { Turns } from '../../lib/turns';
import { agentNodeMixin, type AgentNodeService } from '../../mixins/agent-node.mixin';
import { metricsOf } from '../../mixins/metrics.mixin';

/** As long as the uplink waits for answers. */
const STOP_GRACE_MS = 12_000;

interface InboxService extends AgentNodeService {
  context: ReceiveContext;
  stopping: AbortController;
  unwatch: () => void;
  chatbotChanged(isDown: boolean): void;
}

/** Messages that arrive: opened, checked, handed to the chatbot once and, within a chat, in order. */
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
          return receive(this.context, ctx.params.message);
        },
      },
    },
    methods: {
      chatbotChanged(this: InboxService, isDown: boolean) {
        metricsOf(this.broker).set('dmr_chatbot_available', isDown ? 0 : 1);
        if (isDown)
          this.logger.warn('the chatbot takes no messages; few are tried until it does', {
            event: 'chatbot-down',
          });
        else this.logger.info('the chatbot takes messages again', { event: 'chatbot-up' });
      },
    },
    created(this: InboxService) {
      this.stopping = new AbortController();
      setMaxListeners(0, this.stopping.signal); // each message that waits for another try is one
    },
    started(this: InboxService) {
      const { node, logger: log } = this;
      const seen = new DuplicateWindow(node.store, config.duplicateWindowMs, log);
      const gate = new ChatbotGate((isDown) => this.chatbotChanged(isDown));
      const order = { arrivals: new ArrivalOrder(), diskBegins: Promise.resolve(), chats: new Turns() };
      const shared = { ...order, underWay: new Map<string, never>() };
      const [metrics, tracing] = [metricsOf(this.broker), tracingOf(this.broker)];
      this.context = { ...node, ...shared, seen, gate, stopping: this.stopping.signal, metrics, tracing, log };
      seen.start();
      metrics.set('dmr_chatbot_available', 1);
      this.unwatch = metrics.collect('of the inbox', () => metrics.set('dmr_duplicate_window_entries', seen.size));
    },
    /** What waits for another try is given back to the server; what the chatbot is working on is awaited. */
    async stopped(this: InboxService) {
      this.stopping.abort();
      const answered = Promise.allSettled(this.context.underWay.values());
      await Promise.race([answered, delay(STOP_GRACE_MS, undefined, { ref: false })]);
      this.unwatch?.();
      await this.context.seen.stop();
    },
  });
}

export default () => inboxService(agentConfig());
