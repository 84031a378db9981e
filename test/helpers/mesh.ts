import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { randomUUID } from 'node:crypto';
import { ServiceBroker, type BrokerOptions, type ServiceSchema } from 'moleculer';
import { loadAgentConfig, loadServerConfig, type AgentConfig, type ServerConfig } from '../../lib/config';
import { agentBrokerOptions, meshBrokerOptions } from '../../lib/mesh/broker-options';
import { apiService } from '../../services/agent/api.service';
import { directoryService } from '../../services/agent/directory.service';
import { inboxService } from '../../services/agent/inbox.service';
import { outboxService } from '../../services/agent/outbox.service';
import { uplinkService } from '../../services/agent/uplink.service';
import { agentMetricsService } from '../../services/agent/metrics.service';
import { configSyncService } from '../../services/server/config-sync.service';
import { dlqMonitorService } from '../../services/server/dlq-monitor.service';
import { gatewayService } from '../../services/server/gateway.io.service';
import { serverMetricsService } from '../../services/server/metrics.service';
import { routerService } from '../../services/server/router.service';
import { sealDeployed } from './deployed-agent';
import { eventually } from './eventually';
import type { AgentIdentity } from './keys';
import type { TestAmqp } from './rabbitmq';
import { temporaryFolder } from './temporary-folder';

/** A node of ours running inside the test's process. */
export interface TestNode<Config> {
  broker: ServiceBroker;
  config: Config;
  /** Base URL of its HTTP port; empty for a node without one. */
  url: string;
  /** Base URL of the port of METRICS_PORT; empty for a node without one. */
  metricsUrl: string;
  /** Further calls get the same promise. */
  stop(): Promise<void>;
}

export type ServerNode = TestNode<ServerConfig>;
export type AgentNode = TestNode<AgentConfig>;

const SERVICES = {
  'gateway.io': gatewayService,
  router: routerService,
  'config-sync': configSyncService,
  'dlq-monitor': dlqMonitorService,
  metrics: serverMetricsService,
} satisfies Record<string, (config: ServerConfig) => ServiceSchema>;

export type ServerServiceName = keyof typeof SERVICES;

const QUIET: Partial<BrokerOptions> = process.env['DMR_TEST_LOG'] ? { logLevel: 'debug' } : { logger: false };

/** Starts a server node, with all its services or only some; waits until it is healthy unless told not to. */
export async function startServerNode(
  amqp: TestAmqp,
  centOpsUrl: string,
  options: { env?: NodeJS.ProcessEnv; only?: ServerServiceName[]; waitUntilHealthy?: boolean } = {},
): Promise<ServerNode> {
  const config = loadServerConfig({ ...serverEnv(amqp, centOpsUrl), ...options.env });
  const broker = new ServiceBroker({ ...meshBrokerOptions('server', config), ...QUIET });
  const names = options.only ?? (Object.keys(SERVICES) as ServerServiceName[]);
  for (const name of names) broker.createService(SERVICES[name](config));
  await broker.start();
  const url = names.includes('gateway.io') ? urlOf(broker, 'gateway.io') : '';
  const healthUrl = url || metricsUrlOf(broker);
  if (healthUrl && options.waitUntilHealthy !== false) await untilHealthy(healthUrl);
  return { broker, config, url, metricsUrl: metricsUrlOf(broker), stop: stopOnce(broker) };
}

function serverEnv(amqp: TestAmqp, centOpsUrl: string): NodeJS.ProcessEnv {
  return {
    PORT: '0',
    RABBITMQ_DEFAULT_HOST: amqp.host,
    RABBITMQ_DEFAULT_PORT: String(amqp.port),
    RABBITMQ_DEFAULT_USER: amqp.user,
    RABBITMQ_DEFAULT_PASS: amqp.password,
    RABBITMQ_DEFAULT_VHOST: amqp.vhost,
    RABBITMQ_DEFAULT_DEFAULT_RECONNECT_INTERVAL: '500',
    CENTOPS_CONFIGURATION_URL: centOpsUrl,
  };
}

/**
 * Starts an agent of ours; waits until its uplink is ready unless told not to. It forgets everything when it stops,
 * unless AGENT_DATA_DIR is given.
 */
export async function startAgent(
  identity: AgentIdentity,
  serverUrl: string,
  chatbotUrl: string,
  options: { env?: NodeJS.ProcessEnv; waitUntilHealthy?: boolean } = {},
): Promise<AgentNode> {
  const config = loadAgentConfig({
    PORT: '0',
    AGENT_ID: identity.id,
    AGENT_PRIVATE_KEY: identity.privateKeyPem,
    DMR_SERVER_WEBSOCKET_URL: serverUrl,
    OUTGOING_MESSAGE_ENDPOINT: chatbotUrl,
    AGENT_DATA_DIR: temporaryFolder(),
    WEBSOCKET_RECONNECTION_DELAY: '100',
    WEBSOCKET_RECONNECTION_DELAY_MAX: '500',
    ...options.env,
  });
  const broker = new ServiceBroker({ ...agentBrokerOptions(config), ...QUIET });
  for (const service of [directoryService, inboxService, uplinkService, outboxService, apiService]) {
    broker.createService(service(config));
  }
  broker.createService(agentMetricsService(config));
  await broker.start();
  const url = urlOf(broker, 'api');
  if (options.waitUntilHealthy !== false) await untilHealthy(url);
  return { broker, config, url, metricsUrl: metricsUrlOf(broker), stop: stopOnce(broker) };
}

function stopOnce(broker: ServiceBroker): () => Promise<void> {
  let stopped: Promise<void> | undefined;
  return () => (stopped ??= broker.stop());
}

function urlOf(broker: ServiceBroker, service: string): string {
  return urlAt((broker.getLocalService(service) as unknown as { server: Server }).server);
}

function metricsUrlOf(broker: ServiceBroker): string {
  const service = broker.getLocalService('metrics') as unknown as { operations?: Server } | undefined;
  return service?.operations ? urlAt(service.operations) : '';
}

function urlAt(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Waits until `GET /v1/health` answers 200; the last answer is the reason of the failure. */
export async function untilHealthy(url: string, timeoutMs = 15_000): Promise<void> {
  await eventually(
    async () => {
      const response = await fetch(`${url}/v1/health`);
      const text = await response.text();
      if (response.status !== 200) throw new Error(`${url} is not healthy: ${text}`);
    },
    { timeoutMs },
  );
}

/** A valid message of a chatbot, with a question of an end user in it. */
export function chatMessage(recipientId: string, content = 'My bicycle was stolen last night. What now?') {
  const chatId = randomUUID();
  const now = new Date().toISOString();
  return {
    id: randomUUID(),
    recipientId,
    timestamp: now,
    type: 'ChatMessage' as const,
    payload: {
      chat: { id: chatId, created: now },
      messages: [{ id: randomUUID(), chatId, authorTimestamp: now, authorRole: 'end-user', content }],
    },
  };
}

/** Posts JSON to an agent's REST and reads the answer. */
export async function post(url: string, body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(`${url}/v1/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, text, json: text ? (JSON.parse(text) as Record<string, unknown>) : undefined };
}

/** Puts a message into the recipient's queue under an id that it has had before, as after an ack that was lost. */
export async function sendAgain(server: ServerNode, sender: AgentIdentity, recipient: AgentIdentity, id: string) {
  const { payload, timestamp, type } = chatMessage(recipient.id);
  const sealed = await sealDeployed(payload, sender.privateKeyPem, recipient.publicKeyPem);
  const envelope = { id, senderId: sender.id, recipientId: recipient.id, timestamp, type, payload: sealed };
  const ack = await server.broker.call<{ status: string }, object>('router.publish', { envelope });
  if (ack.status !== 'ok') throw new Error(`The copy was not accepted: ${JSON.stringify(ack)}`);
}
