import type { Context, ServiceSchema } from 'moleculer';
import { agentConfig, type AgentConfig } from '../../lib/config';
import { defineService } from '../../lib/define-service';
import { messageOf } from '../../lib/errors';
import type { Envelope } from '../../lib/protocol/envelope';
import { FULL_LIST, MESSAGE_DOWN, MESSAGE_UP, PARTIAL_LIST, type AgentAck } from '../../lib/protocol/events';
import { secondsSince } from '../../lib/telemetry/metrics';
import { UplinkClient } from '../../lib/uplink/uplink-client';
import { agentNodeMixin, type AgentNodeService } from '../../mixins/agent-node.mixin';
import { metricsOf } from '../../mixins/metrics.mixin';

interface UplinkService extends AgentNodeService {
  client: UplinkClient;
  receive(message: unknown): Promise<AgentAck>;
  tell(action: string, params: object): Promise<void>;
  showConnection(up: boolean): void;
}

/** The agent's connection to the centre: messages up and down, agent lists. */
export function uplinkService(config: AgentConfig): ServiceSchema {
  const { namespace } = config.uplink;
  return defineService<UplinkService>({
    name: 'uplink',
    mixins: [agentNodeMixin(config)],
    actions: {
      /** Sends an envelope up and answers with the server's ack; throws UPLINK_DOWN or NO_ANSWER. */
      send: {
        visibility: 'public',
        params: { envelope: 'object' },
        timeout: 0,
        tracing: false,
        async handler(this: UplinkService, ctx: Context<{ envelope: Envelope }>) {
          metricsOf(this.broker).inc('dmr_socket_events_sent_total', { event: MESSAGE_UP, namespace });
          return this.client.send(ctx.params.envelope, config.deliveryTimeoutMs);
        },
      },
      /** Whether the agent can send: connected, and the agent list is there. */
      status: {
        visibility: 'public',
        handler(this: UplinkService) {
          return { connected: this.client.connected, known: this.node.directory.size, list: this.node.directory.ready };
        },
      },
    },
    methods: {
      async receive(this: UplinkService, message: unknown): Promise<AgentAck> {
        const started = performance.now();
        const metrics = metricsOf(this.broker);
        metrics.inc('dmr_socket_events_received_total', { event: MESSAGE_DOWN, namespace });
        const ack = await this.broker
          .call<AgentAck, { message: unknown }>('inbox.receive', { message }, { timeout: 0 })
          .catch((error: unknown): AgentAck => {
            this.logger.error(`a message could not be received: ${messageOf(error)}`);
            return {
              status: 'error',
              errors: [{ type: 'DELIVERY_FAILED', message: 'Internal error of the recipient' }],
            };
          });
        metrics.observe('dmr_message_processing_duration_seconds', secondsSince(started), { event: MESSAGE_DOWN });
        return ack;
      },

      /** What fails here is a bug; it must not end the process. */
      async tell(this: UplinkService, action: string, params: object) {
        await this.broker.call(action, params).catch((error: unknown) => {
          metricsOf(this.broker).inc('dmr_socket_errors_total');
          this.logger.error(`${action} failed: ${messageOf(error)}`);
        });
      },

      showConnection(this: UplinkService, up: boolean) {
        const metrics = metricsOf(this.broker);
        metrics.set('dmr_agent_socket_connection_active', up ? 1 : 0);
        metrics.set('dmr_socket_connection_active', up ? 1 : 0);
      },
    },
    created(this: UplinkService) {
      const metrics = metricsOf(this.broker);
      const received = (event: string) => metrics.inc('dmr_socket_events_received_total', { event, namespace });
      this.client = new UplinkClient(config, this.node.privateKey, (message) => this.receive(message), this.logger);
      this.client.on('fullList', (agents) => {
        received(FULL_LIST);
        void this.tell('directory.replace', { agents });
      });
      this.client.on('partialList', (agents) => {
        received(PARTIAL_LIST);
        void this.tell('directory.patch', { agents });
      });
      this.client.on('connected', () => this.showConnection(true));
      this.client.on('failed', () => metrics.inc('dmr_socket_errors_total'));
      this.client.on('disconnected', (ms) => {
        this.showConnection(false);
        metrics.observe('dmr_socket_connection_duration_seconds', ms / 1000);
      });
    },
    dependencies: ['directory', 'inbox'],
    started(this: UplinkService) {
      this.showConnection(false);
      this.client.start();
    },
    stopped(this: UplinkService) {
      this.client.stop();
    },
  });
}

export default () => uplinkService(agentConfig());
