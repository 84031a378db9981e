import { connect, type Channel } from 'amqplib';
import { replyCode } from '../../lib/amqp/admin';
import { dlqName } from '../../lib/amqp/topology';
import type { Purged, Replayed } from '../../lib/dlq/dead-letters';
import type { DeadLetter } from '../../lib/dlq/letter';
import { startCentOps, type CentOps } from '../helpers/centops';
import { startChatbot, type Chatbot } from '../helpers/chatbot';
import { importDefinitions, removeUsers, type DeployedUsers } from '../helpers/broker-definitions';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { chatMessage, post, startAgent, startServerNode, type AgentNode, type ServerNode } from '../helpers/mesh';
import { Queues } from '../helpers/queues';
import { useVhost, type TestAmqp } from '../helpers/rabbitmq';

const place = useVhost();
const { vhost, amqp, management } = place;

const tax = makeIdentity('Tax Office');
const police = makeIdentity('Police');
const DLQ = dlqName(police.id);
const REFUSED = 403;

describe('a RabbitMQ with our definitions', () => {
  let users: DeployedUsers;
  const asAdmin = new Queues(amqp);

  beforeAll(async () => {
    users = await importDefinitions(place);
  });

  afterAll(async () => {
    await asAdmin.close();
    await removeUsers(place, users);
  });

  describe('lets the server do all its work:', () => {
    let centOps: CentOps;
    let chatbot: Chatbot;
    let [first, second] = [] as unknown as [ServerNode, ServerNode];
    let agents: AgentNode[] = [];

    beforeAll(async () => {
      centOps = await startCentOps([tax, police]);
      chatbot = await startChatbot();
      const env = { CENTOPS_REMOVE_AFTER_MS: '0', RETIRE_AFTER: '1', DLQ_MONITOR_INTERVAL_MS: '200' };
      [first, second] = await Promise.all([
        startServerNode(users.server, centOps.url, { env }),
        startServerNode(users.server, centOps.url, { env }),
      ]);
      agents = await Promise.all([
        startAgent(tax, first.url, chatbot.url),
        startAgent(police, second.url, chatbot.url),
      ]);
    });

    afterAll(async () => {
      for (const node of [...agents, second, first]) await node?.stop();
      await chatbot?.close();
      await centOps?.close();
    });

    const call = <T>(action: string, params: object = {}) =>
      first.broker.call<T, object>(`dlq-monitor.${action}`, { agentId: police.id, ...params });
    const ready = async (queue: string) => (await asAdmin.look(queue))?.ready;

    it('a question from a node to another', async () => {
      const question = chatMessage(police.id);
      expect(await post(agents[0]!.url, question)).toMatchObject({ status: 200 });
      const arrived = await chatbot.waitFor(({ body }) => (body as { id: string }).id === question.id);
      expect(arrived.body).toEqual({ ...question, senderId: tax.id });
    });

    it('what nobody can read becomes a dead letter, is looked at, replayed and purged', async () => {
      await asAdmin.put(police.id, 'no JSON');
      await eventually(async () => (await ready(DLQ)) === 1);
      expect(await call<DeadLetter[]>('peek')).toMatchObject([{ reason: 'UNPARSEABLE' }]);
      // Refused where the monitor itself looks at the head of the queue for long.
      const again = <T>(action: string) => eventually(() => call<T>(action, { all: true }));
      expect(await again<Replayed>('replay')).toMatchObject({ replayed: 1, failed: 0 });
      await eventually(async () => (await ready(DLQ)) === 1); // it cannot be read the second time either
      expect(await again<Purged>('purge')).toMatchObject({ purged: 1 });
      expect(await ready(DLQ)).toBe(0);
    });

    it('what an agent refuses lies in validation-failures, and is looked at', async () => {
      const letter = { ...chatMessage(police.id), senderId: tax.id, payload: 'no seal' };
      await asAdmin.put(police.id, letter);
      await eventually(async () => (await ready('validation-failures')) === 1);
      // Refused where the monitor itself has a long look there.
      const peek = () => call<DeadLetter[]>('peek', { agentId: 'validation-failures' });
      expect(await eventually(peek)).toHaveLength(1);
    });

    it('its queues have the arguments that it declares, and the limits of the definitions', async () => {
      const shown = (queue: string) =>
        management.request('GET', `queues/${vhost}/${queue}`) as Promise<Record<string, unknown>>;
      const showing = (queue: string, expected: object) =>
        eventually(async () => expect(await shown(queue)).toMatchObject(expected));
      await showing(police.id, {
        type: 'quorum',
        operator_policy: 'dmr-agents',
        effective_policy_definition: { 'max-length-bytes': 2 ** 30 },
        arguments: { 'x-overflow': 'reject-publish', 'x-dead-letter-strategy': 'at-least-once' },
      });
      await showing(DLQ, {
        type: 'quorum',
        policy: 'dmr-dead-letters',
        effective_policy_definition: { 'max-length-bytes': 2 ** 30, overflow: 'reject-publish' },
      });
      await showing('validation-failures', { operator_policy: 'dmr-dead' });
      const all = await management.queues();
      expect(all.filter(({ name, type }) => type !== 'quorum' && !name.startsWith('MOL-'))).toEqual([]);
    });

    it('a full dead-letter queue loses nothing: what should go there waits', async () => {
      await asAdmin.drain(DLQ);
      const policy = `operator-policies/${vhost}/full`;
      const definition = { 'max-length': 1 };
      await management.request('PUT', policy, { pattern: '\\.dlq$', 'apply-to': 'queues', priority: 9, definition });
      const letters = Array.from({ length: 12 }, (_, index) => `no JSON ${index}`);
      for (const letter of letters) await asAdmin.put(police.id, letter);
      await eventually(async () => ((await ready(DLQ)) ?? 0) > 0);
      await management.request('DELETE', policy);
      const dead = await asAdmin.waitFor(DLQ, letters.length, 20_000);
      expect([...new Set(dead.map(({ body }) => body))].sort()).toEqual(letters.sort());
    });

    it('none of its connections was refused anything', async () => {
      expect(await (await fetch(`${first.url}/v1/health`)).json()).toMatchObject({ status: 'ok' });
      expect(await (await fetch(`${second.url}/v1/health`)).json()).toMatchObject({ status: 'ok' });
    });

    it('the queues of an agent that left are taken away', async () => {
      await agents.pop()?.stop();
      centOps.agents = [tax];
      await first.broker.call('config-sync.sync', { accept: true }).catch(() => undefined);
      await eventually(
        async () => {
          await first.broker.call('config-sync.sync').catch(() => undefined);
          return (await asAdmin.look(police.id)) === undefined && (await asAdmin.look(DLQ)) === undefined;
        },
        { timeoutMs: 20_000 },
      );
    });
  });

  describe('refuses', () => {
    const foreign = 'somebody-elses';
    const own = '00000000-0000-4000-8000-000000000001';

    beforeAll(async () => {
      for (const queue of [foreign, own]) await asAdmin.declare(queue, { 'x-queue-type': 'quorum' });
      await asAdmin.put(own, { any: 1 });
    });

    async function outcome(as: TestAmqp, work: (channel: Channel) => Promise<unknown>): Promise<unknown> {
      const { host: hostname, port, user: username, password } = as;
      const connection = await connect({ hostname, port, username, password, vhost });
      const channel = await connection.createChannel();
      const closed = new Promise((resolve) => channel.once('error', (error) => resolve(replyCode(error))));
      // What the question rejects with has no code in every case.
      const result = await work(channel).then(
        () => 'done',
        () => closed,
      );
      await connection.close(); // with it goes back what it took
      return result;
    }

    it.each<[string, (channel: Channel) => Promise<unknown>]>([
      ['to declare a queue that is none of its own', (c) => c.assertQueue('other', { durable: true })],
      ['to declare one that only begins like its own', (c) => c.assertQueue(`${own}x`)],
      ['to declare one that only ends like its own', (c) => c.assertQueue(`x.dlq`)],
      ['to delete such a queue', (c) => c.deleteQueue(foreign)],
      ['to empty it', (c) => c.purgeQueue(foreign)],
      ['to take what is in it', (c) => c.get(foreign)],
      ['to consume it', (c) => c.consume(foreign, () => undefined)],
      ['to declare an exchange', (c) => c.assertExchange('other', 'fanout')],
      ['to delete one', (c) => c.deleteExchange('any')],
      [
        'to bind a queue of an agent to an exchange, which would copy messages into it',
        (c) => c.bindQueue(own, 'amq.fanout', ''),
      ],
      ['to dead-letter into an exchange', (c) => c.assertQueue(`${own}.dlq`, { deadLetterExchange: 'amq.topic' })],
      [
        "to read RabbitMQ's own events",
        (c) =>
          c
            .assertQueue('MOL-dmr.X.y', { exclusive: true })
            .then(() => c.bindQueue('MOL-dmr.X.y', 'amq.rabbitmq.trace', '#')),
      ],
    ])('the server %s', async (_, work) => {
      expect(await outcome(users.server, work)).toBe(REFUSED);
    });

    it('and takes from the server what it may, so that a refusal means something', async () => {
      expect(await outcome(users.server, (c) => c.get(own))).toBe('done');
    });

    it.each<[string, (channel: Channel) => Promise<unknown>]>([
      ['to take a message of an agent', (c) => c.get(own)],
      ['to consume its queue', (c) => c.consume(own, () => undefined)],
      ['to empty it', (c) => c.purgeQueue(own)],
      ['to delete it', (c) => c.deleteQueue(own)],
      ['to declare one', (c) => c.assertQueue('other')],
      [
        'to publish to it',
        async (c) => {
          c.sendToQueue(own, Buffer.from('x'));
          await c.checkQueue(own); // the refusal closes the channel ahead of this
        },
      ],
    ])('the monitor %s', async (_, work) => {
      expect(await outcome(users.monitor, work)).toBe(REFUSED);
    });

    const ask = ({ user, password }: TestAmqp, method: string, path: string, body?: object) =>
      fetch(`${management.url}/api/${path}`, {
        method,
        headers: { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` },
        body: body && JSON.stringify(body),
      }).then(({ status }) => status);
    const GET_ONE = { count: 1, ackmode: 'ack_requeue_true', encoding: 'auto' };

    it('the server the management interface altogether', async () => {
      expect(await ask(users.server, 'GET', 'overview')).toBe(401);
    });

    it('the monitor the messages, the users and every change there, but shows the queues', async () => {
      expect(await ask(users.monitor, 'GET', `queues/${vhost}`)).toBe(200);
      expect(await ask(users.monitor, 'GET', 'nodes')).toBe(200);
      expect(await ask(users.monitor, 'POST', `queues/${vhost}/${own}/get`, GET_ONE)).not.toBe(200);
      expect(await ask(users.monitor, 'GET', 'users')).toBe(401);
      expect(await ask(users.monitor, 'DELETE', `queues/${vhost}/${own}`)).not.toBe(204);
      expect(await ask(users.monitor, 'PUT', `policies/${vhost}/x`, { pattern: '.*', definition: {} })).toBe(401);
      await eventually(async () => (await asAdmin.look(own))?.ready === 1);
    });
  });
});
