import type { Context, ServiceSchema } from 'moleculer';
import { agentConfig, type AgentConfig } from '../../lib/config';
import { defineService } from '../../lib/define-service';
import { send } from '../../lib/outbox/send';
import type { OutgoingMessage } from '../../lib/protocol/chat-message';
import type { Envelope } from '../../lib/protocol/envelope';
import type { ServerAck } from '../../lib/protocol/events';
import { agentNodeMixin, type AgentNodeService } from '../../mixins/agent-node.mixin';
import { metricsOf } from '../../mixins/metrics.mixin';

/** Messages that leave: sealed, handed to the server, done when it has taken them. */
export function outboxService(config: AgentConfig): ServiceSchema {
  return defineService<AgentNodeService>({
    name: 'outbox',
    mixins: [agentNodeMixin(config)],
    dependencies: ['uplink'],
    actions: {
      /** Sends one valid message; throws HttpError. */
      send: {
        visibility: 'public',
        params: { message: 'object' },
        timeout: 0,
        tracing: false,
        async handler(this: AgentNodeService, ctx: Context<{ message: OutgoingMessage }>) {
          const transmit = (envelope: Envelope, timeoutMs: number) =>
            ctx.call<ServerAck, { envelope: Envelope; timeoutMs: number }>(
              'uplink.send',
              { envelope, timeoutMs },
              { timeout: 0 },
            );
          const { uplinkUp: uplink } = this.node;
          const metrics = metricsOf(this.broker);
          await send({ ...this.node, transmit, uplink, metrics, log: this.logger }, ctx.params.message);
        },
      },
    },
  });
}

export default () => outboxService(agentConfig());
