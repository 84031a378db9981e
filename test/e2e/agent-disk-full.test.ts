import { execFileSync } from 'node:child_process';
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
  untilHealthy,
  type AgentNode,
  type ServerNode,
} from '../helpers/mesh';
import { agentEnv, NodeProcess } from '../helpers/processes';
import { useVhost } from '../helpers/rabbitmq';

const { amqp } = useVhost();

const tax = makeIdentity('Tax Office');
const police = makeIdentity('Police');

describe('an agent whose disk is full', () => {
  let centOps: CentOps;
  let chatbot: Chatbot;
  let server: ServerNode;
  let taxAgent: AgentNode;
  let policeAgent: NodeProcess;

  /** The longest file it may write, bytes: for the process the same as a disk without room. */
  const limitFiles = (bytes: number | 'unlimited') =>
    execFileSync('prlimit', ['--pid', String(policeAgent.pid), `--fsize=${bytes}:`]);
  const postsOf = (id: string) => chatbot.received.filter(({ body }) => (body as { id: string }).id === id).length;
  const health = async () => {
    const response = await fetch(`${policeAgent.url}/v1/health`);
    const { parts } = (await response.json()) as { parts: Record<string, { ok: boolean }> };
    return { status: response.status, notOk: Object.keys(parts).filter((name) => !parts[name]?.ok) };
  };
  const writable = async () => {
    const text = await (await fetch(`${policeAgent.url}/metrics`)).text();
    return /^dmr_agent_disk_writable (.)$/m.exec(text)?.[1];
  };
  const told = (event: string) => policeAgent.output.split(`"event":"${event}"`).length - 1;
  const send = async () => {
    const message = chatMessage(police.id);
    expect(await post(taxAgent.url, message)).toMatchObject({ status: 200 });
    return message.id;
  };

  beforeAll(async () => {
    centOps = await startCentOps([tax, police]);
    chatbot = await startChatbot();
    server = await startServerNode(amqp, centOps.url);
    taxAgent = await startAgent(tax, server.url, chatbot.url);
    const env = { ...agentEnv(police, server.url, chatbot.url), LOGGER_LOG_LEVELS: 'error,warn,log,debug' };
    policeAgent = await NodeProcess.start('agent', ['agent'], env);
  }, 60_000);

  afterAll(async () => {
    policeAgent?.kill();
    await policeAgent?.ended();
    for (const node of [taxAgent, server]) await node?.stop();
    await chatbot?.close();
    await centOps?.close();
  });

  it('posts nothing that it could not note, and each message once within 10 s of there being room', async () => {
    limitFiles(0);
    const ids = await Promise.all(Array.from({ length: 30 }, send));
    // Opened, so only the note keeps it from the chatbot.
    await eventually(() =>
      ids.every((id) => new RegExp(`message opened.*${id}|${id}.*message opened`).test(policeAgent.output)),
    );
    await eventually(async () => (await health()).status === 503);
    expect(chatbot.received).toEqual([]);
    expect(policeAgent.running).toBe(true);
    expect(await health()).toEqual({ status: 503, notOk: ['outbox', 'disk'] });
    expect(await writable()).toBe('0');
    limitFiles('unlimited');
    await eventually(() => ids.every((id) => postsOf(id) === 1), { timeoutMs: 10_000 });
    await untilHealthy(policeAgent.url);
    expect(await writable()).toBe('1');
    expect([told('disk-down'), told('disk-up')]).toEqual([1, 1]);
  }, 60_000);

  it('is healthy again once there is room, whatever met the full disk last', async () => {
    limitFiles(0);
    const later = post(policeAgent.url, chatMessage(tax.id), { prefer: 'respond-async' });
    expect(await later).toMatchObject({ status: 503, json: { code: 'STORAGE_FAILED' } });
    expect(await health()).toEqual({ status: 503, notOk: ['outbox', 'disk'] });
    limitFiles('unlimited');
    await untilHealthy(policeAgent.url);
  }, 60_000);

  it('remembers in memory what the chatbot took meanwhile, and answers for it', async () => {
    chatbot.answerNext({ delayMs: 1000 });
    const id = await send();
    await chatbot.waitFor(({ body }) => (body as { id: string }).id === id);
    limitFiles(0); // noted as begun, and not to be noted as done
    await eventually(() => policeAgent.output.includes('remembered in memory only'));
    await sendAgain(server, tax, police, id);
    await eventually(() => policeAgent.output.includes('duplicate dropped'));
    limitFiles('unlimited');
    expect(postsOf(id)).toBe(1);
  }, 60_000);
});
