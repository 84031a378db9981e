import { startCentOps, type CentOps } from '../helpers/centops';
import { startChatbot, type Chatbot } from '../helpers/chatbot';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import {
  chatMessage,
  post,
  startAgent,
  startServerNode,
  untilHealthy,
  type AgentNode,
  type ServerNode,
} from '../helpers/mesh';
import { useVhost } from '../helpers/rabbitmq';
import type { RoutingTable } from '../../lib/router/routes';
import { routesAsText } from '../../lib/repl/routes-command';

const { amqp } = useVhost();

const tax = makeIdentity('Tax Office');
const police = makeIdentity('Police');

const idOf = (request: { body: unknown }) => (request.body as { id: string }).id;

describe('the services of the server, each on a node of its own', () => {
  let centOps: CentOps;
  const nodes: ServerNode[] = [];
  let chatbot: Chatbot;
  const agents: AgentNode[] = [];

  beforeAll(async () => {
    centOps = await startCentOps([tax, police]);
    chatbot = await startChatbot();
    // The gateway comes first: it must find the list when config-sync appears later on another node.
    for (const only of [['gateway.io'], ['router'], ['dlq-monitor'], ['config-sync']] as const) {
      nodes.push(await startServerNode(amqp, centOps.url, { only: [...only], waitUntilHealthy: false }));
    }
    await untilHealthy(nodes[0]?.url ?? '');
    for (const identity of [tax, police]) agents.push(await startAgent(identity, nodes[0]?.url ?? '', chatbot.url));
  });

  afterAll(async () => {
    for (const node of [...agents, ...nodes]) await node.stop();
    await chatbot?.close();
    await centOps?.close();
  });

  it('carry a question', async () => {
    const question = chatMessage(police.id);
    expect(await post(agents[0]?.url ?? '', question)).toMatchObject({ status: 200 });
    await chatbot.waitFor((request) => idOf(request) === question.id);
  });

  it('show the routing from any of them', async () => {
    // The agent answers for the message before this once it has noted it on disk: a moment after its chatbot has it.
    await eventually(async () => {
      const table = await nodes[3]?.broker.call<RoutingTable, object>('router.routes', {});
      expect(table).toEqual({
        silentNodes: [],
        routes: [police, tax].map(({ id, name }) => ({
          agentId: id,
          name,
          node: nodes[0]?.broker.nodeID,
          socketSince: expect.any(String) as string,
          queue: 0,
          inFlight: 0,
          dlq: 0,
        })),
      });
    });
  });

  it('keep user messages off the transporter', async () => {
    // Only the gateway works on a message: with every other node gone it still arrives.
    const question = chatMessage(tax.id);
    for (const node of nodes.splice(1)) await node.stop();
    expect(await post(agents[1]?.url ?? '', question)).toMatchObject({ status: 200 });
    await chatbot.waitFor((request) => idOf(request) === question.id);
  });
});

describe('two server nodes', () => {
  let centOps: CentOps;
  let chatbot: Chatbot;
  const nodes: ServerNode[] = [];
  const agents: AgentNode[] = [];

  beforeAll(async () => {
    centOps = await startCentOps([tax, police]);
    chatbot = await startChatbot();
    for (let count = 0; count < 2; count++) nodes.push(await startServerNode(amqp, centOps.url));
    agents.push(await startAgent(tax, nodes[0]?.url ?? '', chatbot.url));
    agents.push(await startAgent(police, nodes[1]?.url ?? '', chatbot.url));
  });

  afterAll(async () => {
    for (const node of [...agents, ...nodes]) await node.stop();
    await chatbot?.close();
    await centOps?.close();
  });

  it('carry messages between their agents in both directions', async () => {
    for (const [from, to] of [
      [0, police],
      [1, tax],
    ] as const) {
      const message = chatMessage(to.id);
      expect(await post(agents[from]?.url ?? '', message)).toMatchObject({ status: 200 });
      await chatbot.waitFor((request) => idOf(request) === message.id);
    }
  });

  it('let an agent move: a login at one drops the socket at the other', async () => {
    const moved = await startAgent(police, nodes[0]?.url ?? '', chatbot.url);
    const placed = async () => {
      const { routes } = await nodes[1]!.broker.call<RoutingTable, object>('router.routes', { agentId: police.id });
      return routes[0]?.node === nodes[0]?.broker.nodeID;
    };
    await eventually(placed);
    await moved.stop();
    // The agent that was dropped logs in again by itself, at its own node.
    await eventually(async () => !(await placed()));
  });

  it('print the routing as a table', async () => {
    const table = await nodes[0]!.broker.call<RoutingTable, object>('router.routes', {});
    const lines = routesAsText(table).split('\n');
    expect(lines[0]).toMatch(/^agent +name +node +socket since +queue +in flight +dlq$/);
    expect(lines).toHaveLength(3);
    expect(lines[1]).toContain(`${police.id}  Police`);
  });
});
