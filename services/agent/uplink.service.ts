import type { Context, ServiceSchema } from 'moleculer';
import { agentConfig, type AgentConfig } from '../../lib/config';
import { defineService } from '../../lib/define-service';
import { messageOf } from '../../lib/errors';
import type { Envelope } from '../../lib/protocol/envelope';
import { MESSAGE_DOWN, MESSAGE_UP, type AgentAck } from '../../lib/protocol/events';
import { secondsSince } from '../../lib/telemetry/metrics';
import { LoginKeys } from '../../lib/uplink/login-keys';
import { UplinkClient } from '../../lib/uplink/uplink-client';
import { countUplink } from '../../lib/uplink/uplink-metrics';
import { agentNodeMixin, type AgentNodeService } from '../../mixins/agent-node.mixin';
import { metricsOf } from '../../mixins/metrics.mixin';

/** What an orchestrator gives a process to end is 30 s as a rule. */
const STOP_GRACE_MS = 12_000;

interface UplinkService extends AgentNodeService {
  client: UplinkClient;
  listTaken: Promise<void>;
  loggedIn(): Promise<void>;
  receive(message: unknown): Promise<AgentAck>;
  tell(action: string, params: object): Promise<void>;
}

/** The agent's connection to the centre: messages up and down, agent lists. */
export function uplinkService(config: AgentConfig): ServiceSchema {
  const { namespace } = config.uplink;
  const sent = { event: MESSAGE_UP, namespace };
  const received = { event: MESSAGE_DOWN, namespace };
  const answered = { event: MESSAGE_DOWN };
  return defineService<UplinkService>({
    name: 'uplink',
    mixins: [agentNodeMixin(config)],
    actions: {
      /** Sends an envelope up and answers with the server's ack; throws UPLINK_DOWN, UPLINK_LOST or NO_ANSWER. */
      send: {
        visibility: 'public',
        params: { envelope: 'object', timeoutMs: 'number' },
        timeout: 0,
        tracing: false,
        async handler(this: UplinkService, ctx: Context<{ envelope: Envelope; timeoutMs: number }>) {
          metricsOf(this.broker).inc('dmr_socket_events_sent_total', sent);
          return this.client.send(ctx.params.envelope, ctx.params.timeoutMs);
        },
      },
      /** Whether the agent can send: logged in at a server that stays, and an agent list is there. */
      status: {
        visibility: 'public',
        handler(this: UplinkService) {
          const { uplinkUp, directory } = this.node;
          return { connected: uplinkUp.open, known: directory.size, list: directory.ready };
        },
      },
    },
    methods: {
      /** Messages go up once the list that came with the login is in the directory. */
      async loggedIn(this: UplinkService) {
        await this.listTaken;
        if (this.client.ready) this.node.uplinkUp.letThrough();
      },

      async receive(this: UplinkService, message: unknown): Promise<AgentAck> {
        const started = performance.now();
        const metrics = metricsOf(this.broker);
        metrics.inc('dmr_socket_events_received_total', received);
        const ack = await this.broker
          .call<AgentAck, { message: unknown }>('inbox.receive', { message }, { timeout: 0, tracking: false })
          .catch((error: unknown): AgentAck => {
            this.logger.error(`a message could not be received: ${messageOf(error)}`);
            return {
              status: 'error',
              errors: [{ type: 'DELIVERY_FAILED', message: 'Internal error of the recipient' }],
            };
          });
        metrics.observe('dmr_message_processing_duration_seconds', secondsSince(started), answered);
        return ack;
      },

      /** What fails here is a bug; it must not end the process. */
      async tell(this: UplinkService, action: string, params: object) {
        await this.broker.call(action, params).catch((error: unknown) => {
          metricsOf(this.broker).inc('dmr_socket_errors_total');
          this.logger.error(`${action} failed: ${messageOf(error)}`);
        });
      },
    },
    created(this: UplinkService) {
      const { directory, keys } = this.node;
      const loginKeys = new LoginKeys(keys, () => directory.get(config.agentId)?.authenticationCertificate);
      this.client = new UplinkClient(config, loginKeys, (message) => this.receive(message), this.logger);
      this.listTaken = Promise.resolve();
      this.client.on('fullList', (agents) => void (this.listTaken = this.tell('directory.replace', { agents })));
      this.client.on('partialList', (agents) => void this.tell('directory.patch', { agents }));
      this.client.on('loggedIn', () => void this.loggedIn());
      this.client.on('leaving', () => this.node.uplinkUp.shut());
      this.client.on('disconnected', () => this.node.uplinkUp.shut());
      countUplink(this.client, namespace, metricsOf(this.broker));
    },
    dependencies: ['directory', 'inbox'],
    started(this: UplinkService) {
      this.client.start();
    },
    async stopped(this: UplinkService) {
      await this.client.stop(STOP_GRACE_MS);
    },
  });
}

export default () => uplinkService(agentConfig());
