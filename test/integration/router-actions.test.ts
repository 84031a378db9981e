import { connect, type ChannelModel } from 'amqplib';
import { randomUUID } from 'node:crypto';
import { startCentOps, type CentOps } from '../helpers/centops';
import { DeployedAgent, sealDeployed } from '../helpers/deployed-agent';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { startServerNode, type ServerNode } from '../helpers/mesh';
import { useVhost } from '../helpers/rabbitmq';
import type { Retired } from '../../lib/router/retirement';
import type { RoutingTable } from '../../lib/router/routes';
import type { DeadLetterCount, DlqGrowing } from '../../services/server/dlq-monitor.service';

const { amqp, management } = useVhost();

const tax = makeIdentity('Tax Office');
const police = makeIdentity('Police');

describe("the router's actions", () => {
  let centOps: CentOps;
  let server: ServerNode;
  let connection: ChannelModel;
  const agents: DeployedAgent[] = [];

  beforeAll(async () => {
    centOps = await startCentOps([tax, police]);
    server = await startServerNode(amqp, centOps.url, {
      env: { RETIRE_AFTER: '1', DLQ_MONITOR_INTERVAL_MS: '1000', CENTOPS_REMOVE_AFTER_MS: '0' },
    });
    const { host, port, user, password, vhost } = amqp;
    connection = await connect({ hostname: host, port, username: user, password, vhost });
  });

  afterEach(() => agents.splice(0).forEach((agent) => agent.close()));

  afterAll(async () => {
    await connection?.close();
    await server?.stop();
    await centOps?.close();
  });

  const call = <T>(action: string, params: object = {}) => server.broker.call<T, object>(action, params);

  async function envelope(recipient = police) {
    const payload = await sealDeployed({ text: 'hello' }, tax.privateKeyPem, recipient.publicKeyPem);
    const timestamp = new Date().toISOString();
    return { id: randomUUID(), senderId: tax.id, recipientId: recipient.id, type: 'ChatMessage', payload, timestamp };
  }

  async function route(agentId: string) {
    const { routes } = await call<RoutingTable>('router.routes', { agentId });
    return routes[0];
  }

  async function login(identity: typeof tax) {
    const agent = await DeployedAgent.start({ url: server.url, identity });
    agents.push(agent);
    return agent.ready();
  }

  async function deleteQueue(name: string) {
    const channel = await connection.createChannel();
    await channel.deleteQueue(name);
    await channel.close();
  }

  it('declare makes the queues of a listed agent, and of no other', async () => {
    await deleteQueue(`${police.id}.dlq`);
    await deleteQueue(police.id);
    expect(await route(police.id)).toMatchObject({ queue: null, dlq: null });
    await call('router.declare', { agentId: police.id });
    expect(await route(police.id)).toMatchObject({ queue: 0, dlq: 0 });
    await expect(call('router.declare', { agentId: randomUUID() })).rejects.toMatchObject({ code: 'AGENT_UNKNOWN' });
  });

  it("publish answers as to an agent: ok after the confirm, an agent's refusals otherwise", async () => {
    expect(await call('router.publish', { envelope: await envelope() })).toEqual({ status: 'ok' });
    expect(await route(police.id)).toMatchObject({ queue: 1 });
    const wrong = { ...(await envelope()), recipientId: randomUUID() };
    expect(await call('router.publish', { envelope: wrong })).toEqual({
      status: 'error',
      error: `Recipient agent with ID ${wrong.recipientId} not found`,
    });
  });

  it('attach and detach a consumer while the socket stays', async () => {
    const agent = await login(police);
    await agent.until(({ messages }) => messages.length === 1);
    await eventually(async () => expect(await route(police.id)).toMatchObject({ queue: 0, inFlight: 0 }));
    expect(await call('router.detach', { agentId: police.id })).toBe(true);
    await call('router.publish', { envelope: await envelope() });
    await eventually(async () => expect(await route(police.id)).toMatchObject({ queue: 1, inFlight: null }));
    expect(agent.connected).toBe(true);
    await call('router.attach', { agentId: police.id });
    await agent.until(({ messages }) => messages.length === 2);
    await eventually(async () => expect(await route(police.id)).toMatchObject({ queue: 0, inFlight: 0 }));
    await expect(call('router.attach', { agentId: tax.id })).rejects.toMatchObject({ code: 'AGENT_NOT_CONNECTED' });
  });

  it('retire refuses an agent that is listed', async () => {
    await expect(call('router.retire', { agentId: police.id })).rejects.toMatchObject({ code: 'AGENT_LISTED' });
  });

  it('retire moves what waits to the dead-letter queue and deletes only what is empty', async () => {
    const sent = [await envelope(), await envelope()];
    for (const message of sent) await call('router.publish', { envelope: message });
    centOps.agents = [tax];
    await call('config-sync.sync');
    const dlq = `${police.id}.dlq`;
    await eventually(async () => (await depthOf(dlq)) === 2);
    expect(await call<Retired>('router.retire', { agentId: police.id })).toEqual({ moved: 0, gone: false });
    await eventually(async () => expect((await management.queues()).map(({ name }) => name)).not.toContain(police.id));
    const channel = await connection.createChannel();
    for (const { id } of sent) {
      const message = await channel.get(dlq, { noAck: true });
      if (!message) throw new Error('the dead-letter queue is empty');
      expect(JSON.parse(message.content.toString())).toMatchObject({ id });
      expect(message.properties.headers).toMatchObject({ 'x-dmr-reason': 'AGENT_REMOVED' });
    }
    await channel.close();
    expect(await call<Retired>('router.retire', { agentId: police.id })).toEqual({ moved: 0, gone: true });
    expect((await management.queues()).map(({ name }) => name)).not.toContain(dlq);
    centOps.agents = [tax, police];
    await call('config-sync.sync');
  });

  async function depthOf(queue: string) {
    const channel = await connection.createChannel();
    const { messageCount } = await channel.checkQueue(queue);
    await channel.close();
    return messageCount;
  }

  it('the monitor counts every dead-letter queue and validation-failures, and speaks up when one grows', async () => {
    const growing: DlqGrowing[] = [];
    server.broker.createService({
      name: 'listener',
      events: { 'dlq.growing': { handler: (ctx: { params: DlqGrowing }) => void growing.push(ctx.params) } },
    });
    const counts = await call<DeadLetterCount[]>('dlq-monitor.counts');
    const queues = counts.map(({ queue, agentId }) => [queue, agentId]);
    expect(queues).toEqual(
      expect.arrayContaining([
        [`${police.id}.dlq`, police.id],
        [`${tax.id}.dlq`, tax.id],
        ['validation-failures', null],
      ]),
    );
    const channel = await connection.createConfirmChannel();
    // One more each time, as nobody but the monitor knows when it has counted.
    await eventually(async () => {
      for (const queue of [`${police.id}.dlq`, 'validation-failures']) channel.sendToQueue(queue, Buffer.from('{}'));
      await channel.waitForConfirms();
      return ['validation-failures', `${police.id}.dlq`].every((name) => growing.some(({ queue }) => queue === name));
    });
    await channel.close();
    for (const { messages, before } of growing) expect(messages).toBeGreaterThan(before);
    expect(growing.map(({ queue }) => queue)).not.toContain(`${tax.id}.dlq`);
  });

  it('shows every name that operators already scrape', async () => {
    const text = await (await fetch(`${server.url}/metrics`)).text();
    const families = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]));
    expect(Object.fromEntries([...families].filter(([name]) => /^dmr_(socket|message_)/.test(name ?? '')))).toEqual({
      dmr_socket_connections_active: 'gauge',
      dmr_socket_connections_total: 'counter',
      dmr_socket_disconnections_total: 'counter',
      dmr_socket_connection_duration_seconds: 'histogram',
      dmr_socket_errors_total: 'counter',
      dmr_socket_events_received_total: 'counter',
      dmr_socket_events_sent_total: 'counter',
      dmr_message_processing_duration_seconds: 'histogram',
      dmr_message_latency_seconds: 'histogram',
    });
    expect(text).toMatch(/^dmr_socket_connections_total [1-9]/m);
    expect(text).toMatch(/^dmr_broker_connected 1$/m);
    expect(text).toMatch(
      /^dmr_socket_events_sent_total\{event="dmr:agents:full-list",namespace="\/v1\/dmr-agent-events"\}/m,
    );
    expect(text).toMatch(/^nodejs_version_info/m);
    expect(text).toMatch(/^moleculer_/m);
  });
});
