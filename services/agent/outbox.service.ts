import type { Context, ServiceSchema } from 'moleculer';
import { agentConfig, type AgentConfig } from '../../lib/config';
import { defineService } from '../../lib/define-service';
import { Outbox } from '../../lib/outbox/outbox';
import { Posts, type Posted, type PostStatus } from '../../lib/outbox/posts';
import { sealMessage } from '../../lib/outbox/seal-message';
import { send } from '../../lib/outbox/send';
import { SentMemory } from '../../lib/outbox/sent-memory';
import type { OutgoingMessage } from '../../lib/protocol/chat-message';
import type { Envelope } from '../../lib/protocol/envelope';
import type { ServerAck } from '../../lib/protocol/events';
import { tracingOf } from '../../lib/mesh/tracing-hook';
import type { TraceContext } from '../../lib/telemetry/trace-context';
import { agentNodeMixin, type AgentNodeService } from '../../mixins/agent-node.mixin';
import { metricsOf } from '../../mixins/metrics.mixin';

interface OutboxService extends AgentNodeService {
  sent: SentMemory;
  outbox: Outbox;
  posts: Posts;
  unwatch: () => void;
  transmit(envelope: Envelope, timeoutMs: number): Promise<ServerAck>;
}

interface PostParams {
  message: OutgoingMessage;
  respondAsync: boolean;
  trace?: TraceContext;
}

/** Messages that leave: sealed, handed to the server at once or from the disk, done when it has taken them. */
export function outboxService(config: AgentConfig): ServiceSchema {
  return defineService<OutboxService>({
    name: 'outbox',
    mixins: [agentNodeMixin(config)],
    dependencies: ['uplink'],
    actions: {
      /** Takes one valid message of a trace, to be sent now or with `respondAsync` later; throws HttpError. */
      post: {
        visibility: 'public',
        params: { message: 'object', respondAsync: 'boolean', trace: { type: 'object', optional: true } },
        timeout: 0,
        tracing: false,
        handler(this: OutboxService, ctx: Context<PostParams>): Promise<Posted> {
          const { message, respondAsync, trace } = ctx.params;
          return this.posts.post(message, respondAsync, trace);
        },
      },
      /** What is remembered of a message; null for nothing. */
      status: {
        visibility: 'public',
        params: { id: 'string' },
        handler(this: OutboxService, ctx: Context<{ id: string }>): PostStatus | null {
          return this.posts.status(ctx.params.id) ?? null;
        },
      },
      /** Whether it takes messages to be sent later, how many wait and for how long, ms. */
      health: {
        visibility: 'public',
        handler(this: OutboxService) {
          const { ok, waiting, oldestAgeMs } = this.outbox;
          return { ok, waiting, oldestAgeMs };
        },
      },
    },
    methods: {
      transmit(this: OutboxService, envelope: Envelope, timeoutMs: number) {
        return this.broker.call<ServerAck, object>('uplink.send', { envelope, timeoutMs }, { timeout: 0 });
      },
    },
    started(this: OutboxService) {
      const { node, logger: log, broker } = this;
      const { store, uplinkUp: uplink } = node;
      const [metrics, tracing] = [metricsOf(broker), tracingOf(broker)];
      const sent = (this.sent = new SentMemory(store, log));
      const transmit = (envelope: Envelope, timeoutMs: number) => this.transmit(envelope, timeoutMs);
      this.outbox = new Outbox({ store, sent, transmit, uplink, ...config.outbox, metrics, tracing, log });
      const sealing = { ...node, directory: node.directory, metrics, tracing, log };
      this.posts = new Posts({
        sent,
        log,
        sendNow: (message, trace) => send({ ...sealing, transmit, uplink }, message, trace),
        sendLater: (message, digest, trace) => this.outbox.add(() => sealMessage(sealing, message, trace), digest),
      });
      this.outbox.start();
      sent.start();
      this.unwatch = metrics.collect('of the outbox', () => {
        metrics.set('dmr_outbox_oldest_seconds', this.outbox.oldestAgeMs / 1000);
      });
    },
    async stopped(this: OutboxService) {
      this.unwatch?.();
      this.outbox.stop();
      await this.sent.stop();
    },
  });
}

export default () => outboxService(agentConfig());
