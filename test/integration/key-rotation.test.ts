import { freePorts } from '../../scripts/lib/broker/free-ports';
import { startCentOps, type CentOps } from '../helpers/centops';
import { startChatbot, type Chatbot } from '../helpers/chatbot';
import { eventually } from '../helpers/eventually';
import { makeAgentKeys, makeIdentity } from '../helpers/keys';
import { chatMessage, post, startAgent, startServerNode, type AgentNode, type ServerNode } from '../helpers/mesh';
import { useVhost } from '../helpers/rabbitmq';
import { TcpProxy } from '../helpers/tcp-proxy';

const { amqp } = useVhost();

const tax = makeIdentity('Tax Office');
const police = makeIdentity('Police');
const [newTax, newPolice] = [tax, police].map((identity) => ({ ...identity, ...makeAgentKeys() })) as [
  typeof tax,
  typeof police,
];

describe('messages that wait while a key is changed', () => {
  let centOps: CentOps;
  let chatbot: Chatbot;
  let server: ServerNode;
  let proxy: TcpProxy;
  let taxAgent: AgentNode;
  let policeAgent: AgentNode | undefined;

  beforeEach(async () => {
    centOps = await startCentOps([tax, police]);
    chatbot = await startChatbot();
    server = await startServerNode(amqp, centOps.url);
    const [port = 0] = await freePorts(1);
    proxy = new TcpProxy(port, { host: '127.0.0.1', port: Number(new URL(server.url).port) });
    await proxy.open();
    taxAgent = await startAgent(tax, server.url, chatbot.url);
  });

  afterEach(async () => {
    await policeAgent?.stop();
    for (const node of [taxAgent, server]) await node?.stop();
    await proxy?.cut();
    await chatbot?.close();
    await centOps?.close();
  });

  const startPolice = async (identity = police, env: NodeJS.ProcessEnv = {}) =>
    (policeAgent = await startAgent(identity, `http://127.0.0.1:${proxy.port}`, chatbot.url, { env }));
  const send = async () => {
    const message = chatMessage(police.id);
    expect(await post(taxAgent.url, message)).toMatchObject({ status: 200 });
    return message.id;
  };
  const list = async (...agents: (typeof tax)[]) => {
    centOps.agents = agents;
    await server.broker.call('config-sync.sync', {});
  };
  const arrival = (id: string) => chatbot.waitFor(({ body }) => (body as { id: string }).id === id);

  it('open at an agent that holds the key before beside its new one', async () => {
    const id = await send(); // sealed for the old key
    await list(tax, newPolice);
    await startPolice(newPolice, { AGENT_PRIVATE_KEY_PREVIOUS: police.privateKeyPem });
    await arrival(id);
  });

  it('are believed though their sender has another key by now', async () => {
    await startPolice();
    await arrival(await send());
    await proxy.cut();
    await eventually(async () => (await fetch(`${policeAgent?.url}/v1/health`)).status === 503);
    const id = await send(); // signed with the old key
    await list(newTax, police);
    await proxy.open();
    await arrival(id);
  });

  it('are refused when there is to be no overlap', async () => {
    await startPolice(police, { KEY_OVERLAP_MS: '0' });
    await arrival(await send());
    await proxy.cut();
    await eventually(async () => (await fetch(`${policeAgent?.url}/v1/health`)).status === 503);
    const id = await send();
    await list(newTax, police);
    await proxy.open();
    await eventually(async () => {
      const metrics = await (await fetch(`${policeAgent?.url}/metrics`)).text();
      return metrics.includes('dmr_messages_rejected_total{type="SIGNATURE_VALIDATION_FAILED"} 1');
    });
    expect(chatbot.received.map(({ body }) => (body as { id: string }).id)).not.toContain(id);
  });
});
