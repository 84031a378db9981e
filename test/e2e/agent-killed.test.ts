import { startCentOps, type CentOps } from '../helpers/centops';
import { startChatbot, type Chatbot } from '../helpers/chatbot';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import {
  chatMessage,
  post,
  sendAgain,
  startAgent,
  startServerNode,
  type AgentNode,
  type ServerNode,
} from '../helpers/mesh';
import { agentEnv, NodeProcess } from '../helpers/processes';
import { useVhost } from '../helpers/rabbitmq';

const { amqp, management } = useVhost();

const tax = makeIdentity('Tax Office');
const police = makeIdentity('Police');

/** Messages to an agent that is killed, always at another moment, and comes back with what it keeps on disk. */
describe('an agent that is killed', () => {
  let centOps: CentOps;
  let chatbot: Chatbot;
  let server: ServerNode;
  let taxAgent: AgentNode;
  let env: NodeJS.ProcessEnv;
  let policeAgent: NodeProcess;

  const start = async () => (policeAgent = await NodeProcess.start('agent', ['agent'], env));
  const send = async () => {
    const message = chatMessage(police.id);
    expect(await post(taxAgent.url, message)).toMatchObject({ status: 200 });
    return message.id;
  };
  const marksOf = (id: string) =>
    chatbot.received
      .filter(({ body }) => (body as { id: string }).id === id)
      .map(({ headers }) => headers['x-dmr-redelivered']);
  const arrival = (id: string) => chatbot.waitFor(({ body }) => (body as { id: string }).id === id, 20_000);
  const queueIsEmpty = () => eventually(async () => (await management.get(police.id)).messages === 0);
  const counted = async (metric: string) => {
    const text = await (await fetch(`${policeAgent.url}/metrics`)).text();
    return Number(new RegExp(`^${metric} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
  };
  const kill = async () => {
    policeAgent.kill();
    await policeAgent.ended();
  };

  beforeAll(async () => {
    centOps = await startCentOps([tax, police]);
    chatbot = await startChatbot();
    server = await startServerNode(amqp, centOps.url);
    taxAgent = await startAgent(tax, server.url, chatbot.url);
    env = agentEnv(police, server.url, chatbot.url);
    await start();
  }, 60_000);

  afterEach(() => chatbot.answerWith({}));

  afterAll(async () => {
    policeAgent?.kill();
    await policeAgent?.ended();
    for (const node of [taxAgent, server]) await node?.stop();
    await chatbot?.close();
    await centOps?.close();
  });

  it('before its chatbot has answered posts the message again, and says that it may not be the first', async () => {
    chatbot.answerNext('hang');
    const id = await send();
    await arrival(id);
    await kill();
    await start();
    await eventually(() => marksOf(id).length === 2, { timeoutMs: 20_000 });
    await queueIsEmpty();
    expect(marksOf(id)).toEqual([undefined, 'true']);
  }, 60_000);

  it('after its chatbot has answered does not post the message again', async () => {
    const before = await counted('dmr_messages_received_total');
    const id = await send();
    // Counted when it is noted; the count of the queue may be older.
    await eventually(async () => (await counted('dmr_messages_received_total')) === before + 1);
    await kill();
    await sendAgain(server, tax, police, id); // what a server does whose ack was lost
    await start();
    await eventually(async () => (await counted('dmr_duplicates_dropped_total')) === 1);
    expect(marksOf(id)).toEqual([undefined]);
  }, 60_000);

  it('at any moment under load loses nothing, and posts nothing twice without saying so', async () => {
    chatbot.answerWith({ delayMs: 20 });
    const ids: string[] = [];
    const load = async () => {
      for (let n = 0; n < 120; n++) ids.push(await send());
    };
    const loading = load();
    for (let kills = 1; kills <= 3; kills++) {
      await eventually(() => chatbot.received.length > kills * 30, { timeoutMs: 30_000 });
      await kill();
      await start();
    }
    await loading;
    await eventually(() => ids.every((id) => marksOf(id).length > 0), { timeoutMs: 30_000 });
    await queueIsEmpty();
    for (const id of ids)
      expect(
        marksOf(id)
          .slice(1)
          .every((mark) => mark === 'true'),
      ).toBe(true);
  }, 120_000);

  it('leaves no lock: another process of the same agent is refused while it runs, and only then', async () => {
    const second = await NodeProcess.start('agent', ['agent'], env, { healthy: false });
    await expect(second.ended()).resolves.toBe(78);
    expect(second.output.match(/^AGENT_DATA_DIR: wants a directory that no other process .*$/gm)).toHaveLength(1);
    expect(policeAgent.running).toBe(true);
    const id = await send();
    await arrival(id);
  }, 60_000);

  it('does not start without a folder that it can write to, and names the variable', async () => {
    const unusable = { ...env, AGENT_DATA_DIR: __filename };
    const node = await NodeProcess.start('agent', ['agent'], unusable, { healthy: false });
    await expect(node.ended()).resolves.toBe(78);
    expect(node.output).toMatch(/^AGENT_DATA_DIR: wants a directory that this process can write to .*ENOTDIR.*$/m);
  }, 60_000);
});
