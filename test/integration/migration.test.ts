import { randomUUID } from 'node:crypto';
import { connect } from 'amqplib';
import { replyCode } from '../../lib/amqp/admin';
import { dlqName, VALIDATION_FAILURES } from '../../lib/amqp/topology';
import { loadAgentConfig, loadServerConfig } from '../../lib/config';
import type { Replayed } from '../../lib/dlq/dead-letters';
import { startCentOps, type CentOps } from '../helpers/centops';
import { startChatbot } from '../helpers/chatbot';
import { DeployedAgent, openDeployed, sealDeployed, type Envelope } from '../helpers/deployed-agent';
import { DeployedServer } from '../helpers/deployed-server';
import { eventually } from '../helpers/eventually';
import { makeIdentity, type AgentIdentity } from '../helpers/keys';
import { chatMessage, post, startAgent, startServerNode, type ServerNode } from '../helpers/mesh';
import { Queues } from '../helpers/queues';
import { useVhost } from '../helpers/rabbitmq';

const { amqp } = useVhost();

const DAY_S = 86_400;
const DAY_MS = 86_400_000;

/** The arguments a deployed server declares its queues with, by name, for one agent. */
const deployedQueues = (agentId: string) => ({
  [dlqName(agentId)]: { 'x-queue-type': 'quorum', 'x-message-ttl': DAY_MS },
  [VALIDATION_FAILURES]: { 'x-queue-type': 'quorum', 'x-message-ttl': DAY_MS },
  [agentId]: {
    'x-queue-type': 'quorum',
    'x-message-ttl': 300_000,
    'x-dead-letter-exchange': '',
    'x-dead-letter-routing-key': dlqName(agentId),
  },
});

/** What a deployed server leaves in a queue: the envelope of a deployed agent and `receivedAt`. */
async function waiting(sender: AgentIdentity, recipient: AgentIdentity, question: number): Promise<Envelope> {
  const { timestamp, type, payload } = chatMessage(recipient.id, `Question ${question}`);
  const sealed = await sealDeployed(payload, sender.privateKeyPem, recipient.publicKeyPem);
  const ids = { id: randomUUID(), senderId: sender.id, recipientId: recipient.id };
  return { ...ids, type, timestamp, payload: sealed, receivedAt: new Date().toISOString() };
}

const idOf = ({ body }: { body: unknown }) => (body as { id: string }).id;

describe('a server that takes the place of a deployed one', () => {
  const queues = new Queues(amqp);
  let stops: (() => unknown)[] = [];
  let tax: AgentIdentity;
  let police: AgentIdentity;
  let centOps: CentOps;

  beforeEach(async () => {
    [tax, police] = [makeIdentity('Tax Office'), makeIdentity('Police')];
    centOps = await startCentOps([tax, police]);
    stops = [() => queues.close(), () => centOps.close()];
    for (const [name, queueArguments] of Object.entries(deployedQueues(police.id)))
      await queues.declare(name, queueArguments);
  });

  afterEach(async () => {
    for (const stop of stops.reverse()) await stop();
  });

  async function startOurs(env: NodeJS.ProcessEnv = {}): Promise<ServerNode> {
    const server = await startServerNode(amqp, centOps.url, { env: { AGENT_LIST_GRACE_MS: '0', ...env } });
    stops.push(() => server.stop());
    return server;
  }

  async function login(server: ServerNode, identity: AgentIdentity, iat?: number): Promise<DeployedAgent> {
    const agent = await DeployedAgent.start({ url: server.url, identity, reconnectDelayMs: 50, ...(iat && { iat }) });
    stops.push(() => agent.close());
    return agent;
  }

  /** Three messages wait; the first is with an agent as the deployed server ends, so it comes again. */
  async function leftBehind(): Promise<Envelope[]> {
    const letters = await Promise.all([1, 2, 3].map((question) => waiting(tax, police, question)));
    for (const letter of letters) await queues.put(police.id, letter);
    const { host: hostname, port, user: username, password, vhost } = amqp;
    const gone = await connect({ hostname, port, username, password, vhost });
    const channel = await gone.createChannel();
    await new Promise<void>((resolve) => {
      void channel.prefetch(1).then(() => channel.consume(police.id, () => resolve()));
    });
    await gone.close();
    return letters;
  }

  it('hands what waits to a deployed agent, in its order', async () => {
    const letters = await leftBehind();
    const agent = await (await login(await startOurs(), police)).ready();
    await agent.until(({ messages }) => messages.length === 3 && messages.every(({ answer }) => answer !== undefined));
    expect(agent.messages.map(({ envelope }) => envelope)).toEqual(letters);
    expect(agent.messages.every(({ answer }) => (answer as { status: string }).status === 'ok')).toBe(true);
    agent.close();
    expect(await queues.leftAfterConsumer(police.id)).toEqual([]);
  });

  it('hands what waits to an agent of ours, which opens the seals of deployed ones', async () => {
    const letters = await leftBehind();
    const chatbot = await startChatbot();
    stops.push(() => chatbot.close());
    const server = await startOurs();
    const agent = await startAgent(police, server.url, chatbot.url);
    stops.push(() => agent.stop());
    await eventually(() => chatbot.received.length === 3);
    expect(chatbot.received.map(idOf).sort()).toEqual(letters.map(({ id }) => id).sort());
    expect(JSON.stringify(chatbot.received.map(({ body }) => body))).toContain('Question 3');
  });

  it('replays the dead letters that the deployed one left', async () => {
    const dead = await waiting(tax, police, 1);
    await queues.put(dlqName(police.id), dead);
    const server = await startOurs();
    const agent = await (await login(server, police)).ready();
    const replayed = await server.broker.call<Replayed, object>('dlq-monitor.replay', {
      agentId: police.id,
      all: true,
    });
    expect(replayed).toMatchObject({ matched: 1, replayed: 1, left: 0, complete: true });
    await agent.until(({ messages }) => messages[0]?.answer !== undefined);
    expect(agent.messages[0]?.envelope.id).toBe(dead.id);
  });

  it('lets a deployed agent in that has run for longer than a day only where AGENT_TOKEN_MAX_AGE allows it', async () => {
    const threeDaysAgo = Math.floor(Date.now() / 1000) - 3 * DAY_S;
    const strict = await login(await startOurs(), police, threeDaysAgo);
    await strict.until(({ connectErrors }) => connectErrors.length >= 2); // it goes on trying
    expect(strict.connectErrors[0]?.message).toMatch(/too old/);
    strict.close();
    await (await login(await startOurs({ AGENT_TOKEN_MAX_AGE: '2147483647' }), police, threeDaysAgo)).ready();
  });

  it('goes back: what it declared itself a deployed one may not declare, until it was deleted', async () => {
    const server = await startOurs();
    await eventually(async () => (await queues.look(tax.id)) !== undefined);
    await server.stop();
    stops.pop();
    for (const [name, queueArguments] of Object.entries({ ...deployedQueues(police.id), ...deployedQueues(tax.id) })) {
      const refused = await queues.declare(name, queueArguments).then(() => undefined, replyCode);
      expect([name, refused]).toEqual([name, name === tax.id ? 406 : undefined]);
    }
    await queues.remove(tax.id);
    await queues.declare(tax.id, deployedQueues(tax.id)[tax.id] as Record<string, unknown>);
  });
});

describe('an agent of ours before the server is', () => {
  it('talks through the deployed server to deployed agents, which ignore what its seals say besides', async () => {
    const [tax, police] = [makeIdentity('Tax Office'), makeIdentity('Police')];
    const server = await DeployedServer.start({ agents: [tax, police] });
    const chatbot = await startChatbot();
    const ours = await startAgent(tax, server.url, chatbot.url);
    const theirs = await (await DeployedAgent.start({ url: server.url, identity: police })).ready();
    try {
      const question = chatMessage(police.id);
      expect(await post(ours.url, question)).toMatchObject({ status: 200 });
      await theirs.until(({ messages }) => messages[0]?.answer !== undefined);
      const { payload } = theirs.messages[0]?.envelope as Envelope;
      expect(await openDeployed(payload, police.privateKeyPem, tax.publicKeyPem)).toEqual(question.payload);
    } finally {
      theirs.close();
      await ours.stop();
      await server.close();
      await chatbot.close();
    }
  });
});

describe('the variables of a deployed manifest', () => {
  const both = { ENVIRONMENT: 'production', LOGGER_COLORS: 'false', LOGGER_LOG_LEVELS: 'error,warn,log,debug,verbose' };

  it('start a server as they are', () => {
    const config = loadServerConfig({
      ...both,
      PORT: '8075',
      WEB_SOCKET_NAMESPACE: '/v1/dmr-agent-events',
      WEB_SOCKET_MAX_DISCONNECTION_DURATION: '120000',
      CENTOPS_CONFIGURATION_URL: 'https://centops.example/agents',
      CENTOPS_CONFIGURATION_CRON_TIME: '*/30 * * * *',
      CENTOPS_CONFIGURATION_API_KEY: 'key',
      CENTOPS_CONFIGURATION_API_SECRET: 'secret',
      RABBITMQ_DEFAULT_HOST: 'rabbitmq',
      RABBITMQ_DEFAULT_PORT: '5672',
      RABBITMQ_DEFAULT_USER: 'user',
      RABBITMQ_DEFAULT_PASS: 'pass',
      RABBITMQ_DEFAULT_MANAGEMENT_UI_URI: 'http://rabbitmq:15672',
      RABBITMQ_DEFAULT_TTL: '300000',
      RABBITMQ_DEFAULT_DLQ_TTL: '86400000',
      RABBITMQ_VALIDATION_FAILURES_TTL: '86400000',
      RABBITMQ_DEFAULT_DEFAULT_RECONNECT_INTERVAL: '5000',
      MESSAGE_DELIVERY_TIMEOUT_MS: '2000',
      MSW_ENABLED: 'false',
    });
    expect(config.amqp).toMatchObject({ hosts: [{ host: 'rabbitmq', port: 5672 }], vhost: '/', tls: undefined });
  });

  it('start an agent as they are, with the key in one line', () => {
    const { id, privateKeyPem } = makeIdentity('Tax Office');
    const config = loadAgentConfig({
      ...both,
      PORT: '8077',
      DMR_SERVER_WEBSOCKET_URL: 'https://dmr.example',
      DMR_SERVER_WEBSOCKET_NAMESPACE: '/v1/dmr-agent-events',
      WEBSOCKET_RECONNECTION_DELAY: '1000',
      WEBSOCKET_RECONNECTION_DELAY_MAX: '5000',
      AGENT_ID: id,
      AGENT_PRIVATE_KEY: privateKeyPem.replaceAll('\n', '\\n'),
      OUTGOING_MESSAGE_ENDPOINT: 'http://chatbot/messages',
      MESSAGE_DELIVERY_TIMEOUT_MS: '2000',
    });
    expect(config).toBeDefined();
  });
});
