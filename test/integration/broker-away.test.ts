import { startCentOps, type CentOps } from '../helpers/centops';
import { startChatbot, type Chatbot } from '../helpers/chatbot';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { chatMessage, post, startAgent, startServerNode, untilHealthy, type ServerNode } from '../helpers/mesh';
import { useVhost } from '../helpers/rabbitmq';
import { TcpProxy } from '../helpers/tcp-proxy';
import { freePorts } from '../../scripts/lib/broker/free-ports';
import type { RoutingTable } from '../../lib/router/routes';

const { amqp } = useVhost();

const tax = makeIdentity('Tax Office');
const police = makeIdentity('Police');

describe('a server node that starts while RabbitMQ is away', () => {
  let centOps: CentOps;
  let chatbot: Chatbot;
  let proxy: TcpProxy;
  let late: ServerNode;
  let neighbour: ServerNode;
  const agents: { url: string; stop(): Promise<void> }[] = [];

  beforeAll(async () => {
    centOps = await startCentOps([tax, police]);
    chatbot = await startChatbot();
    const [port] = await freePorts(1);
    proxy = new TcpProxy(port as number, amqp);
    neighbour = await startServerNode(amqp, centOps.url);
    const throughProxy = { ...amqp, host: '127.0.0.1', port: proxy.port };
    late = await startServerNode(throughProxy, centOps.url, { waitUntilHealthy: false });
  });

  afterAll(async () => {
    for (const node of [...agents, late, neighbour]) await node?.stop();
    await proxy?.cut();
    await chatbot?.close();
    await centOps?.close();
  });

  it('lives and says what it lacks', async () => {
    expect((await fetch(`${late.url}/v1/health/live`)).status).toBe(200);
    const response = await fetch(`${late.url}/v1/health`);
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      status: 'unavailable',
      parts: { broker: { ok: false }, agents: { ok: true, known: 2 }, mesh: { ok: false } },
    });
  });

  it('answers 504 to whom it cannot serve, and never 200', async () => {
    const agent = await startAgent(tax, late.url, chatbot.url);
    agents.push(agent);
    const answer = await post(agent.url, chatMessage(police.id));
    expect(answer).toMatchObject({ status: 504, json: { code: 'NO_ANSWER' } });
    expect(answer.json?.message).toMatch(/again with the same id/);
  });

  it('does its job and is part of the mesh as soon as RabbitMQ is there, unattended', async () => {
    await proxy.open();
    await untilHealthy(late.url, 20_000);
    agents.push(await startAgent(police, neighbour.url, chatbot.url));
    const message = chatMessage(police.id);
    expect(await post(agents[0]?.url ?? '', message)).toMatchObject({ status: 200 });
    await chatbot.waitFor(({ body }) => (body as { id: string }).id === message.id);
    await eventually(async () => {
      const { routes } = await neighbour.broker.call<RoutingTable, object>('router.routes', {});
      expect(routes.map(({ node }) => node).sort()).toEqual([late.broker.nodeID, neighbour.broker.nodeID].sort());
    });
  });
});
