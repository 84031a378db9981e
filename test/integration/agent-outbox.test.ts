import { setTimeout as pause } from 'node:timers/promises';
import { startCentOps, type CentOps } from '../helpers/centops';
import { startChatbot, type Chatbot } from '../helpers/chatbot';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { chatMessage, post, startAgent, startServerNode, type AgentNode, type ServerNode } from '../helpers/mesh';
import { Queues } from '../helpers/queues';
import { useVhost } from '../helpers/rabbitmq';
import { temporaryFolder } from '../helpers/temporary-folder';

const { amqp } = useVhost();
const queues = new Queues(amqp);

const tax = makeIdentity('Tax Office');
const police = makeIdentity('Police');

let centOps: CentOps;
let chatbot: Chatbot;
let server: ServerNode;
let agent: AgentNode;
const env = { AGENT_DATA_DIR: temporaryFolder() };

const restartServer = async () => {
  const { port } = new URL(server.url);
  server = await startServerNode(amqp, centOps.url, { env: { PORT: port } });
};

const later = (message: object) =>
  fetch(`${agent.url}/v1/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', prefer: 'wait=5, Respond-Async; x=1' },
    body: JSON.stringify(message),
  });

async function statusOf(id: string) {
  const response = await fetch(`${agent.url}/v1/messages/${id}`);
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}

const health = async () => {
  const response = await fetch(`${agent.url}/v1/health`);
  return (await response.json()) as { parts: Record<string, { ok: boolean; waiting?: number; known?: number }> };
};

const idsIn = (messages: { body: unknown }[]) => messages.map(({ body }) => (body as { id: string }).id);

describe('an agent', () => {
  beforeAll(async () => {
    centOps = await startCentOps([tax, police]);
    chatbot = await startChatbot();
    server = await startServerNode(amqp, centOps.url);
    agent = await startAgent(tax, server.url, chatbot.url, { env });
  });
  afterAll(async () => {
    await agent?.stop();
    await server?.stop();
    await queues.close();
    await chatbot?.close();
    await centOps?.close();
  });

  describe('a message posted with Prefer: respond-async', () => {
    it('is answered with 202 and where to ask for it, goes out, and can be asked for', async () => {
      const message = chatMessage(police.id, 'a secret of a citizen');
      const response = await later(message);
      expect({ status: response.status, body: (await response.json()) as object }).toEqual({
        status: 202,
        body: { id: message.id, status: 'waiting' },
      });
      expect(response.headers.get('preference-applied')).toBe('respond-async');
      expect(response.headers.get('location')).toBe(`/v1/messages/${message.id}`);
      await eventually(async () => (await statusOf(message.id)).json.status === 'sent');
      expect(Object.keys((await statusOf(message.id)).json).sort()).toEqual(['id', 'since', 'status']);
      expect(idsIn(await queues.waitFor(police.id, 1))).toEqual([message.id]);
    });

    it('waits while no server can be reached, through a restart of the agent, and new ones are still taken', async () => {
      await server.stop();
      const messages = Array.from({ length: 20 }, () => chatMessage(police.id));
      for (const message of messages.slice(0, 10)) expect((await later(message)).status).toBe(202);
      await agent.stop();
      agent = await startAgent(tax, server.url, chatbot.url, { env, waitUntilHealthy: false });
      for (const message of messages.slice(10)) expect((await later(message)).status).toBe(202);
      expect((await later(chatMessage('3f2b1c9a-8a3e-4c57-9d0e-0a1b2c3d4e5f'))).status).toBe(404);
      expect((await health()).parts).toMatchObject({ uplink: { ok: false }, outbox: { ok: true, waiting: 20 } });
      expect(await (await fetch(`${agent.url}/metrics`)).text()).toMatch(/dmr_outbox_messages 20\n/);
      expect((await statusOf(messages[3]!.id)).json).toMatchObject({ status: 'waiting' });

      await restartServer();
      const stored = await queues.waitFor(police.id, 20, 20_000);
      expect(idsIn(stored)).toEqual(messages.map(({ id }) => id));
      await eventually(async () => (await health()).parts.outbox?.waiting === 0);
    });

    it('has failed when the server refuses it for good, and says why', async () => {
      centOps.agents = [tax];
      await server.stop();
      const message = chatMessage(police.id);
      expect((await later(message)).status).toBe(202);
      await restartServer();
      await eventually(async () => (await statusOf(message.id)).json.status === 'failed');
      expect((await statusOf(message.id)).json.reason).toContain(`Recipient agent with ID ${police.id} not found`);
      centOps.agents = [tax, police];
      await server.stop();
      await restartServer();
      await eventually(async () => ((await health()).parts.agents?.['known' as 'ok'] as unknown) === 2);
    });

    it('that nobody posted is answered with 404', async () => {
      for (const id of [chatMessage(tax.id).id, 'nothing', 'x'.repeat(2000)]) {
        expect(await statusOf(id)).toMatchObject({ status: 404, json: { code: 'MESSAGE_UNKNOWN' } });
      }
    });
  });

  describe('the same message posted again', () => {
    it('is not sent again, also by the next process; another one under its id is refused', async () => {
      await queues.drain(police.id);
      const message = chatMessage(police.id);
      const answers = await Promise.all([post(agent.url, message), post(agent.url, message)]);
      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
      await eventually(async () => (await statusOf(message.id)).json.status === 'sent');
      await agent.stop();
      agent = await startAgent(tax, server.url, chatbot.url, { env });
      expect(await post(agent.url, message)).toMatchObject({ status: 200, text: '' });
      expect((await later(message)).status).toBe(202);
      const other = await post(agent.url, { ...chatMessage(police.id), id: message.id });
      expect(other).toMatchObject({ status: 409, json: { code: 'ID_REUSED' } });
      expect(idsIn(await queues.waitFor(police.id, 1))).toEqual([message.id]);
      expect(await queues.drain(police.id)).toEqual([]);
    });
  });

  describe('servers that are stopped one after the other', () => {
    it('show no error to a chatbot that posts all the time, and everything is stored once', async () => {
      await agent.stop(); // its queue is read below
      const other = await startServerNode(amqp, centOps.url);
      const urls = `${server.url},${other.url}`;
      // Longer than the default: another test may have the processor meanwhile.
      const patient = { AGENT_DATA_DIR: temporaryFolder(), MESSAGE_DELIVERY_TIMEOUT_MS: '15000' };
      const asking = await startAgent(police, urls, chatbot.url, { env: patient });
      const posted: { id: string; answer: Promise<{ status: number }> }[] = [];
      let stopped = false;
      const load = (async () => {
        while (!stopped) {
          const message = chatMessage(tax.id);
          posted.push({ id: message.id, answer: post(asking.url, message) });
          await pause(10); // the rate of the load
        }
      })();
      await eventually(() => posted.length > 20);
      await server.stop();
      await eventually(() => posted.length > 100);
      await restartServer();
      await other.stop();
      const before = posted.length;
      await eventually(() => posted.length > before + 50);
      stopped = true;
      await load;
      const statuses = await Promise.all(posted.map(async ({ answer }) => (await answer).status));
      expect(new Set(statuses)).toEqual(new Set([200]));
      const stored = new Set(idsIn(await queues.waitFor(tax.id, posted.length)));
      expect(posted.filter(({ id }) => !stored.has(id))).toEqual([]);
      await asking.stop();
    });
  });
});
