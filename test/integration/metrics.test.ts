import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { io } from 'socket.io-client';
import { agentMetrics, serverMetrics } from '../../lib/telemetry/definitions';
import { startCentOps, type CentOps } from '../helpers/centops';
import { startChatbot, type Chatbot } from '../helpers/chatbot';
import { DeployedAgent, makeDeployedToken, NAMESPACE, NO_ANSWER } from '../helpers/deployed-agent';
import { eventually } from '../helpers/eventually';
import { makeIdentity, type AgentIdentity } from '../helpers/keys';
import {
  chatMessage,
  post,
  sendAgain,
  startAgent,
  startServerNode,
  untilHealthy,
  type AgentNode,
  type ServerNode,
} from '../helpers/mesh';
import { Exposition } from '../helpers/prometheus-text';
import { useVhost } from '../helpers/rabbitmq';
import { CERTIFICATE } from '../unit/config/environments';

const { amqp, management } = useVhost();

const police = makeIdentity('Police');
const tax = makeIdentity('Tax Office "North"');
const mute = makeIdentity('Mute');
const certified = { ...makeIdentity('Certified'), publicKeyPem: CERTIFICATE };
const stranger = makeIdentity('Stranger');

/** Set by the service that watches the queues, which has tests of its own. */
const OF_THE_QUEUES = /^dmr_(queue|dlq)_|^dmr_validation_failures_messages$/;

const server = {
  PORT: '0',
  MESSAGE_DELIVERY_TIMEOUT_MS: '3000',
  MESSAGE_DELIVERY_MAX_TRIES: '2',
  MESSAGE_RETRY_DELAY_MS: '10',
  MESSAGE_RETRY_DELAY_MAX_MS: '10',
  CENTOPS_REMOVE_AFTER_MS: '0',
  CENTOPS_CONFIGURATION_CRON_TIME: '0 0 1 1 *', // looks that are counted are those of the tests
  DLQ_MONITOR_INTERVAL_MS: '600000',
};

let centOps: CentOps;
let chatbots: { police: Chatbot; tax: Chatbot };
let nodes: [ServerNode, ServerNode];
let agents: { police: AgentNode; tax: AgentNode };
let muteAgent: DeployedAgent;
/** Names of all series that were ever seen, of servers and of agents. */
const seen = { server: new Set<string>(), agent: new Set<string>() };

const readServer = (index: 0 | 1) => read(nodes[index], 'server');
const readAgent = (who: 'police' | 'tax') => read(agents[who], 'agent');

async function read(node: { url: string }, kind: 'server' | 'agent'): Promise<Exposition> {
  const shown = await Exposition.of(node);
  for (const [name, { type, samples }] of shown.families) if (samples.length > 0) seen[kind].add(`${name} ${type}`);
  const defined = kind === 'server' ? serverMetrics : agentMetrics;
  for (const [name, { labelNames = [] }] of Object.entries(defined)) {
    for (const { labels, name: sample } of shown.families.get(name)?.samples ?? []) {
      const expected = sample.endsWith('_bucket') ? [...labelNames, 'le'] : labelNames;
      expect([sample, Object.keys(labels).sort()]).toEqual([sample, [...expected].sort()]);
    }
  }
  return shown;
}

/** Waits until a series has a value. */
async function until(look: () => Promise<Exposition>, name: string, labels: Record<string, string>, value: number) {
  await eventually(async () => {
    const found = (await look()).value(name, labels);
    if (found !== value) throw new Error(`${name}${JSON.stringify(labels)} is ${found} and not ${value}`);
  });
}

const byRecipient = (agent: AgentIdentity, reason: string) => ({ agent: agent.id, reason });
const envelope = (senderId: string, recipientId: string, payload = 'x') => ({
  id: randomUUID(),
  type: 'ChatMessage',
  senderId,
  recipientId,
  timestamp: new Date().toISOString(),
  payload,
});

beforeAll(async () => {
  centOps = await startCentOps([police, tax, mute]);
  chatbots = { police: await startChatbot(), tax: await startChatbot() };
  nodes = [
    await startServerNode(amqp, centOps.url, { env: server }),
    await startServerNode(amqp, centOps.url, { env: server }),
  ];
  const env = { OUTBOX_MAX_AGE_MS: '3000' };
  agents = {
    police: await startAgent(police, nodes[0].url, chatbots.police.url),
    tax: await startAgent(tax, nodes[1].url, chatbots.tax.url, { env }),
  };
  muteAgent = await (await DeployedAgent.start({ url: nodes[1].url, identity: mute })).ready();
});
afterAll(async () => {
  muteAgent?.close();
  await Promise.all([agents?.police.stop(), agents?.tax.stop()]);
  await Promise.all((nodes ?? []).map((node) => node.stop()));
  await Promise.all([chatbots?.police.close(), chatbots?.tax.close(), centOps?.close()]);
});

describe('who is there', () => {
  it('stands on every node with its name, on the node of its socket as connected and consuming', async () => {
    for (const { id, name } of [police, tax, mute]) {
      for (const index of [0, 1] as const) {
        expect((await readServer(index)).value('dmr_agent_info', { agent: id, name })).toBe(1);
      }
    }
    await until(() => readServer(0), 'dmr_agent_consuming', { agent: police.id }, 1);
    for (const { id } of [tax, mute]) await until(() => readServer(1), 'dmr_agent_consuming', { agent: id }, 1);
    const [first, second] = [await readServer(0), await readServer(1)];
    const connected = (shown: Exposition) => shown.samples('dmr_agent_connected').map(({ labels }) => labels.agent);
    expect(connected(first)).toEqual([police.id]);
    expect(connected(second).sort()).toEqual([tax.id, mute.id].sort());
    expect(first.value('dmr_socket_connections_active')).toBe(1);
    expect(second.value('dmr_socket_connections_active')).toBe(2);
    for (const shown of [first, second]) expect(shown.value('dmr_agents_known')).toBe(3);
  });

  it('consumes no more while its queue is detached by an operator', async () => {
    await nodes[1].broker.call('router.detach', { agentId: tax.id });
    const shown = await readServer(1);
    expect(shown.value('dmr_agent_connected', { agent: tax.id })).toBe(1);
    expect(shown.value('dmr_agent_consuming', { agent: tax.id })).toBe(0);
    await nodes[1].broker.call('router.attach', { agentId: tax.id });
    await until(() => readServer(1), 'dmr_agent_consuming', { agent: tax.id }, 1);
  });

  it('has its key listed', async () => {
    const shown = await readAgent('police');
    const listed = ['current', 'previous', 'none'].map((key) => shown.value('dmr_agent_key_listed', { key }));
    expect(listed).toEqual([1, 0, 0]);
    for (const spelling of ['dmr_agent_socket_connection_active', 'dmr_socket_connection_active']) {
      expect(shown.value(spelling)).toBe(1);
    }
  });
});

describe('a question', () => {
  it('is counted at each of its hops, and measured', async () => {
    const before = [await readServer(0), await readServer(1)] as const;
    const confirms = before[0].value('dmr_confirm_latency_seconds_count') ?? 0;
    chatbots.tax.answerNext({ delayMs: 1500 });
    const message = chatMessage(tax.id);
    expect((await post(agents.police.url, message)).status).toBe(200);
    await until(() => readServer(1), 'dmr_agent_in_flight', { agent: tax.id }, 1);
    expect((await readServer(1)).value('dmr_messages_in_flight', { direction: 'down' })).toBe(1);
    await until(() => readServer(1), 'dmr_messages_delivered_total', { agent: tax.id }, 1);

    const [first, second] = [await readServer(0), await readServer(1)];
    expect(first.value('dmr_messages_accepted_total', { agent: police.id })).toBe(1);
    expect(first.value('dmr_confirm_latency_seconds_count')).toBe(confirms + 1);
    expect(first.value('dmr_messages_in_flight', { direction: 'up' })).toBe(0);
    expect(second.value('dmr_agent_in_flight', { agent: tax.id })).toBe(0);
    expect(second.value('dmr_messages_in_flight', { direction: 'down' })).toBe(0);
    // It took at least as long as the chatbot, and every bucket from there holds it.
    expect(second.value('dmr_message_latency_seconds_count')).toBe(1);
    expect(second.value('dmr_message_latency_seconds_sum')).toBeGreaterThan(1.4);
    expect(second.value('dmr_message_latency_seconds_bucket', { le: '1' })).toBe(0);
    for (const le of ['300', '+Inf']) expect(second.value('dmr_message_latency_seconds_bucket', { le })).toBe(1);
    expect(first.value('dmr_message_latency_seconds_count')).toBe(0);

    const [sender, recipient] = [await readAgent('police'), await readAgent('tax')];
    expect(sender.value('dmr_messages_sent_total')).toBe(1);
    expect(sender.value('dmr_seal_duration_seconds_count')).toBe(1);
    expect(recipient.value('dmr_messages_received_total')).toBe(1);
    expect(recipient.value('dmr_open_duration_seconds_count')).toBe(1);
    expect(recipient.value('dmr_chatbot_duration_seconds_count')).toBe(1);
    expect(recipient.value('dmr_chatbot_duration_seconds_sum')).toBeGreaterThan(1.4);
    expect(recipient.value('dmr_duplicate_window_entries')).toBe(1);
    expect(recipient.value('dmr_duplicates_dropped_total')).toBe(0);

    await sendAgain(nodes[0], police, tax, message.id);
    await until(() => readAgent('tax'), 'dmr_duplicates_dropped_total', {}, 1);
  });

  it('that nobody answers is retried and dead-lettered under its recipient', async () => {
    muteAgent.answerWith(NO_ANSWER);
    expect((await post(agents.police.url, chatMessage(mute.id))).status).toBe(200);
    await until(() => readServer(1), 'dmr_messages_dead_lettered_total', byRecipient(mute, 'NO_ACK'), 1);
    const shown = await readServer(1);
    expect(shown.value('dmr_messages_retried_total', byRecipient(mute, 'NO_ACK'))).toBe(1);
    expect(shown.value('dmr_messages_delivered_total', { agent: mute.id })).toBeUndefined();
  });

  it('that the chatbot does not take at first counts as its failure', async () => {
    chatbots.tax.answerNext({ status: 503 });
    expect((await post(agents.police.url, chatMessage(tax.id))).status).toBe(200);
    await until(() => readAgent('tax'), 'dmr_chatbot_failures_total', { reason: 'status' }, 1);
    await until(() => readAgent('tax'), 'dmr_messages_received_total', {}, 2);
    expect((await readAgent('tax')).value('dmr_chatbot_available')).toBe(1);
  });

  it('that cannot be opened counts as rejected, and as a validation failure', async () => {
    await nodes[0].broker.call('router.publish', { envelope: envelope(police.id, tax.id) });
    await until(() => readAgent('tax'), 'dmr_messages_rejected_total', { type: 'DECRYPTION_FAILED' }, 1);
    await until(() => readServer(1), 'dmr_validation_failures_total', { type: 'DECRYPTION_FAILED' }, 1);
  });
});

describe('labels', () => {
  it('never hold what a client sends: the number of series stays as it is', async () => {
    const login = async (id: string, token: string) => {
      const socket = io(nodes[1].url + NAMESPACE, { auth: { token }, forceNew: true, reconnection: false });
      await new Promise<void>((resolve) => void socket.once('connect_error', () => resolve()));
      socket.close();
      return id;
    };
    const attack = async () => {
      const ids = [randomUUID(), stranger.id, '"}', police.id.toUpperCase()];
      for (const senderId of ids) await muteAgent.emitRaw(envelope(senderId, tax.id));
      for (const recipientId of ids) await muteAgent.emitRaw(envelope(mute.id, recipientId));
      await muteAgent.emitRaw({ ...envelope(mute.id, tax.id), type: randomUUID(), timestamp: randomUUID() });
      await login(stranger.id, await makeDeployedToken({ ...stranger, id: randomUUID() }));
      await login(police.id, await makeDeployedToken({ ...police, privateKeyPem: stranger.privateKeyPem }));
      for (const path of ['x', randomUUID(), '..', '%22%7D']) {
        await fetch(`${agents.police.url}/v1/messages/${path}`);
        await fetch(`${agents.police.url}/${path}`, { method: 'PURGE' });
      }
      await post(agents.police.url, chatMessage(randomUUID()));
    };
    const series = async () => [
      ...(await readServer(0)).series(),
      ...(await readServer(1)).series(),
      ...(await readAgent('police')).series(),
    ];
    await attack(); // whatever is counted for the first time has its series from now on
    const before = await series();
    for (let times = 0; times < 3; times++) await attack();
    expect(await series()).toEqual(before);
    const shown = await readServer(1);
    const known = [police.id, tax.id, mute.id];
    for (const { samples } of shown.families.values()) {
      for (const { labels } of samples) if (labels.agent !== undefined) expect(known).toContain(labels.agent);
    }
    expect(shown.value('dmr_messages_refused_total', { reason: 'INVALID_SENDER_ID' })).toBeGreaterThan(0);
    expect(shown.value('dmr_logins_refused_total', { reason: 'TOKEN_REFUSED' })).toBeGreaterThan(0);
    const route = { method: 'GET', route: '/v1/messages/:id' };
    expect((await readAgent('police')).value('dmr_http_requests_total', route)).toBeGreaterThan(0);
  });

  it('follow the list: an agent comes with its certificate, and its series go with it', async () => {
    const look = () => readServer(0);
    const about = async () => (await look()).series().filter((key) => key.includes(certified.id));
    expect(await about()).toEqual([]);
    centOps.agents = [...centOps.agents, certified];
    await nodes[0].broker.call('config-sync.sync', { accept: true });
    const expires = (await look()).value('dmr_agent_certificate_expiry_timestamp_seconds', { agent: certified.id });
    expect(expires).toBeGreaterThan(1_000_000_000);
    expect((await look()).samples('dmr_agent_certificate_expiry_timestamp_seconds')).toHaveLength(1);
    await eventually(async () => (await post(agents.police.url, chatMessage(certified.id))).status === 200);
    await nodes[0].broker.call('router.publish', { envelope: envelope(certified.id, tax.id) });
    await until(look, 'dmr_messages_accepted_total', { agent: certified.id }, 1);
    centOps.agents = centOps.agents.filter(({ id }) => id !== certified.id);
    await nodes[0].broker.call('config-sync.sync', { accept: true });
    await eventually(async () => (await about()).length === 0);
    expect((await look()).value('dmr_agents_known')).toBe(3);
  });
});

describe('CentOps', () => {
  it('is counted look by look, and the age of the list grows while none is whole', async () => {
    const sync = () => nodes[0].broker.call('config-sync.sync', {});
    const look = async () => {
      const shown = await readServer(0);
      const results = ['whole', 'partial', 'failed'] as const;
      const [whole, partial, failed] = results.map(
        (result) => shown.value('dmr_centops_looks_total', { result }) ?? -1,
      );
      return { whole, partial, failed, age: shown.value('dmr_centops_sync_age_seconds') ?? -1 };
    };
    await sync();
    const first = await look();
    expect(first.age).toBeGreaterThanOrEqual(0);
    centOps.failWith({ kind: 'half-valid' });
    await sync();
    centOps.failWith({ kind: 'status', status: 500 });
    await sync();
    const second = await look();
    expect(second).toMatchObject({ whole: first.whole, partial: first.partial! + 1, failed: first.failed! + 1 });
    expect(second.age).toBeGreaterThan(first.age);
    expect((await readServer(0)).value('dmr_centops_whole')).toBe(0);
    centOps.recover();
    const begin = performance.now();
    await sync();
    const third = await look();
    expect(third.whole).toBe(first.whole! + 1);
    expect(third.age).toBeLessThanOrEqual((performance.now() - begin) / 1000);
    expect((await readServer(0)).value('dmr_centops_whole')).toBe(1);
  });
});

describe('a lost broker', () => {
  it('shows, use by use, and so does its return', async () => {
    const uses = ['publish', 'consume', 'admin', 'transporter'];
    const lost = new Set<string>();
    let watching = true;
    const watch = (async () => {
      while (watching) {
        const shown = await readServer(0);
        for (const use of uses) if (shown.value('dmr_broker_connection_open', { use }) === 0) lost.add(use);
        if (shown.value('dmr_broker_connected') === 0) lost.add('connected');
        await pause(20);
      }
    })();
    for (const use of uses) await until(() => readServer(0), 'dmr_broker_connection_open', { use }, 1);
    try {
      await management.closeConnections(8);
      await eventually(() => lost.size === 5);
    } finally {
      watching = false;
      await watch;
    }
    for (const use of uses) await until(() => readServer(0), 'dmr_broker_connection_open', { use }, 1);
    await until(() => readServer(0), 'dmr_broker_connected', {}, 1);
    expect((await readServer(0)).value('dmr_broker_blocked')).toBe(0);
    for (const { url } of nodes) await untilHealthy(url);
    await until(() => readServer(1), 'dmr_agent_consuming', { agent: tax.id }, 1);
  });
});

describe('an agent without a server', () => {
  it('shows what waits in its outbox, for how long, and what has expired there', async () => {
    muteAgent.close();
    await until(() => readServer(1), 'dmr_socket_disconnections_total', {}, 1);
    await nodes[1].stop();
    for (const name of ['dmr_agent_socket_connection_active', 'dmr_socket_connection_active']) {
      await until(() => readAgent('tax'), name, {}, 0);
    }
    const answer = await post(agents.tax.url, chatMessage(police.id), { prefer: 'respond-async' });
    expect(answer.status).toBe(202);
    expect((await readAgent('tax')).value('dmr_outbox_messages')).toBe(1);
    await eventually(async () => ((await readAgent('tax')).value('dmr_outbox_oldest_seconds') ?? 0) > 0.2);
    await until(() => readAgent('tax'), 'dmr_outbox_failed_total', { reason: 'EXPIRED' }, 1);
    // It leaves the outbox once the disk has it.
    await until(() => readAgent('tax'), 'dmr_outbox_messages', {}, 0);
    await until(() => readAgent('tax'), 'dmr_outbox_oldest_seconds', {}, 0);
  });
});

describe('every metric', () => {
  it.each([
    ['server' as const, serverMetrics],
    ['agent' as const, agentMetrics],
  ])('of a %s had a value in one of these tests', (kind, defined) => {
    const expected = Object.entries(defined)
      .filter(([name]) => !OF_THE_QUEUES.test(name))
      .map(([name, { type }]) => `${name} ${type.toLowerCase()}`);
    expect(expected.filter((entry) => !seen[kind].has(entry))).toEqual([]);
  });
});
