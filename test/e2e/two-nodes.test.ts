import { startCentOps, type CentOps } from '../helpers/centops';
import { startChatbot, type Chatbot } from '../helpers/chatbot';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { chatMessage, post, untilHealthy } from '../helpers/mesh';
import { agentEnv, NodeProcess, serverEnv } from '../helpers/processes';
import { useVhost } from '../helpers/rabbitmq';
import { Repl } from '../helpers/repl';

const { amqp } = useVhost();

const tax = makeIdentity('Tax Office');
const police = makeIdentity('Police');

describe('two server nodes and two agents, each a process of its own', () => {
  let centOps: CentOps;
  let chatbot: Chatbot;
  const nodes: NodeProcess[] = [];
  let [first, second, taxAgent, policeAgent] = [] as unknown as [NodeProcess, NodeProcess, NodeProcess, NodeProcess];

  const keep = (node: NodeProcess) => {
    nodes.push(node);
    return node;
  };
  const startServer = async () => keep(await NodeProcess.start('server', ['server'], serverEnv(amqp, centOps.url)));
  const startAgent = async (identity: typeof tax, server: NodeProcess) =>
    keep(await NodeProcess.start('agent', ['agent'], agentEnv(identity, server.url, chatbot.url)));

  beforeAll(async () => {
    centOps = await startCentOps([tax, police]);
    chatbot = await startChatbot();
    [first, second] = await Promise.all([startServer(), startServer()]);
    [taxAgent, policeAgent] = await Promise.all([startAgent(tax, first), startAgent(police, second)]);
  }, 60_000);

  afterAll(async () => {
    for (const node of nodes.reverse()) node.kill();
    await Promise.all(nodes.map((node) => node.ended()));
    await chatbot?.close();
    await centOps?.close();
  });

  const arrival = (id: string) => chatbot.waitFor(({ body }) => (body as { id: string }).id === id, 20_000);
  const arrivals = (id: string) => chatbot.received.filter(({ body }) => (body as { id: string }).id === id).length;

  it('carry messages between agents on different nodes, both ways', async () => {
    const question = chatMessage(police.id);
    expect(await post(taxAgent.url, question)).toMatchObject({ status: 200, text: '' });
    expect((await arrival(question.id)).body).toEqual({ ...question, senderId: tax.id });
    const answer = chatMessage(tax.id);
    expect(await post(policeAgent.url, answer)).toMatchObject({ status: 200 });
    expect((await arrival(answer.id)).body).toEqual({ ...answer, senderId: police.id });
  });

  it('show the routing in a REPL that only joins the mesh', async () => {
    const repl = await Repl.start(serverEnv(amqp, centOps.url));
    // The prompt comes before the other nodes have introduced themselves.
    const output = await eventually(async () => {
      const text = await repl.type('routes');
      return text.includes(police.id) && text;
    });
    expect(output).toMatch(/agent +name +node +socket since +queue +in flight +dlq/);
    expect(output).toMatch(new RegExp(`${police.id} +Police +server-`));
    const { routes } = await repl.json<{ routes: unknown[] }>('routes');
    expect(routes).toHaveLength(2);
    await repl.quit();
  });

  it("say nothing of a message's content, a key or a password in their logs", async () => {
    const canary = 'a-canary-that-no-log-may-sing';
    const message = chatMessage(police.id, canary);
    await post(taxAgent.url, message);
    await arrival(message.id);
    const logs = nodes.map(({ output }) => output).join('\n');
    expect(logs).toContain('agent connected');
    for (const secret of [canary, amqp.password, 'PRIVATE KEY', ...tax.privateKeyPem.split('\n').slice(1, 3)]) {
      expect(logs).not.toContain(secret);
    }
  });

  it('survive the kill of a node: its agent is healthy again once the node is back, and nothing is lost', async () => {
    second.kill();
    await second.ended();
    const waiting = chatMessage(police.id);
    expect(await post(taxAgent.url, waiting)).toMatchObject({ status: 200 });
    const port = new URL(second.url).port;
    second = keep(await NodeProcess.start('server', ['server'], { ...serverEnv(amqp, centOps.url), PORT: port }));
    await untilHealthy(policeAgent.url);
    await arrival(waiting.id);
    expect(arrivals(waiting.id)).toBe(1);
  });

  it('end with code 0 when they are asked to stop', async () => {
    expect(await Promise.all([taxAgent.stop(), policeAgent.stop()])).toEqual([0, 0]);
    expect(await Promise.all([first.stop(), second.stop()])).toEqual([0, 0]);
  });
});

describe('a node with a wrong configuration', () => {
  it.each([
    [
      'server',
      { CENTOPS_CONFIGURATION_URL: 'nowhere' },
      /^CENTOPS_CONFIGURATION_URL: wants an http:.*, got "nowhere"\n$/,
    ],
    ['agent', { AGENT_ID: 'me' }, /^AGENT_ID: wants a UUID, got "me"\n$/],
  ])('ends the start of a %s with one line that names the variable', async (role, env, line) => {
    const node = await NodeProcess.start(role, [role], env, { healthy: false });
    expect(await node.ended()).toBe(78);
    expect(node.output).toMatch(line);
  });
});
