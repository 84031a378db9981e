import { randomUUID } from 'node:crypto';
import { startCentOps, type CentOps } from '../helpers/centops';
import { startChatbot, type Chatbot } from '../helpers/chatbot';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { chatMessage, post, startAgent, startServerNode, type AgentNode, type ServerNode } from '../helpers/mesh';
import { useVhost } from '../helpers/rabbitmq';
import { TcpProxy } from '../helpers/tcp-proxy';
import { temporaryFolder } from '../helpers/temporary-folder';
import { freePorts } from '../../scripts/lib/broker/free-ports';

const { amqp } = useVhost();

const tax = makeIdentity('Tax Office');
const police = makeIdentity('Police');

describe('a chatbot with a fault', () => {
  let centOps: CentOps;
  let chatbot: Chatbot;
  let proxy: TcpProxy;
  let server: ServerNode;
  let taxAgent: AgentNode;
  let policeAgent: AgentNode;
  const env = { AGENT_DATA_DIR: temporaryFolder(), OUTGOING_MESSAGE_TIMEOUT_MS: '1000' };

  const startPolice = async () =>
    (policeAgent = await startAgent(police, server.url, `http://127.0.0.1:${proxy.port}/messages`, { env }));
  const send = async (chat?: ReturnType<typeof randomUUID>) => {
    const message = chatMessage(police.id);
    if (chat) {
      message.payload.chat.id = chat;
      for (const part of message.payload.messages) part.chatId = chat;
    }
    expect(await post(taxAgent.url, message)).toMatchObject({ status: 200 });
    return message.id;
  };
  const idsIn = (ids: string[]) =>
    chatbot.received.map(({ body }) => (body as { id: string }).id).filter((id) => ids.includes(id));

  beforeAll(async () => {
    centOps = await startCentOps([tax, police]);
    chatbot = await startChatbot();
    const [port = 0] = await freePorts(1);
    proxy = new TcpProxy(port, { host: '127.0.0.1', port: Number(new URL(chatbot.url).port) });
    await proxy.open();
    server = await startServerNode(amqp, centOps.url);
    taxAgent = await startAgent(tax, server.url, chatbot.url);
    await startPolice();
  });

  afterAll(async () => {
    for (const node of [policeAgent, taxAgent, server]) await node?.stop();
    await proxy?.cut();
    await chatbot?.close();
    await centOps?.close();
  });

  it('of no connection has everything once and in order within 10 s of its return', async () => {
    await proxy.cut();
    const chat = randomUUID();
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) ids.push(await send(chat));
    const others = await Promise.all(Array.from({ length: 15 }, () => send()));
    await new Promise((resolve) => setTimeout(resolve, 6000)); // long enough for the longest pause between two tries
    await proxy.open();
    await eventually(() => idsIn([...ids, ...others]).length === 20, { timeoutMs: 10_000 });
    expect(idsIn(ids)).toEqual(ids);
    expect(new Set(idsIn(others)).size).toBe(15);
  }, 60_000);

  it.each([
    ['an error', { status: 500 }],
    ['no answer in time', 'hang'],
    ['a broken connection', 'close'],
  ] as const)('of %s gets the message again, marked, before the rest of its chat', async (_fault, answer) => {
    chatbot.answerNext(answer);
    const chat = randomUUID();
    const ids = [await send(chat), await send(chat)] as const;
    await eventually(() => idsIn([ids[1]]).length === 1);
    expect(idsIn([...ids])).toEqual([ids[0], ids[0], ids[1]]);
    const marks = chatbot.received.filter(({ body }) => (body as { id: string }).id === ids[0]);
    expect(marks.map(({ headers }) => headers['x-dmr-redelivered'])).toEqual([undefined, 'true']);
  });

  it('does not keep its agent from stopping, and the successor brings what waits', async () => {
    await proxy.cut();
    const ids = await Promise.all(Array.from({ length: 5 }, () => send()));
    await eventually(async () => {
      const text = await (await fetch(`${policeAgent.url}/metrics`)).text();
      return /^dmr_chatbot_available 0$/m.test(text);
    });
    const started = Date.now();
    await policeAgent.stop();
    expect(Date.now() - started).toBeLessThan(5000);
    await proxy.open();
    await startPolice();
    await eventually(() => idsIn(ids).length === 5, { timeoutMs: 15_000 });
    expect(new Set(idsIn(ids)).size).toBe(5);
  }, 60_000);
});
