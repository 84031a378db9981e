import { startCentOps, type CentOps } from '../helpers/centops';
import { startChatbot, type Chatbot } from '../helpers/chatbot';
import { DeployedServer } from '../helpers/deployed-server';
import { eventually } from '../helpers/eventually';
import { makeAgentKeys, makeIdentity } from '../helpers/keys';
import { chatMessage, post, startAgent, startServerNode, type AgentNode, type ServerNode } from '../helpers/mesh';
import { useVhost } from '../helpers/rabbitmq';
import { temporaryFolder } from '../helpers/temporary-folder';

const { amqp } = useVhost();

const police = makeIdentity('Police');

let centOps: CentOps;
let chatbot: Chatbot;
let server: ServerNode;
let policeAgent: AgentNode;

beforeAll(async () => {
  centOps = await startCentOps([police]);
  chatbot = await startChatbot();
  const everySecond = { CENTOPS_CONFIGURATION_CRON_TIME: '* * * * * *' };
  server = await startServerNode(amqp, centOps.url, { env: everySecond });
  policeAgent = await startAgent(police, server.url, chatbot.url);
});
afterAll(async () => {
  await policeAgent?.stop();
  await server?.stop();
  await chatbot?.close();
  await centOps?.close();
});

/** An agent that changes its key: what CentOps lists of it, and its two forms. */
function changingAgent(name: string) {
  const old = makeIdentity(name);
  const changed = { ...old, ...makeAgentKeys() };
  const env = { AGENT_DATA_DIR: temporaryFolder(), MESSAGE_DELIVERY_TIMEOUT_MS: '15000' };
  const withBoth = { ...env, AGENT_PRIVATE_KEY_PREVIOUS: old.privateKeyPem };
  return { old, changed, env, withBoth };
}

/** Its question reaches the other chatbot, which it does only if its seal fits what CentOps lists. */
async function asks(agent: AgentNode): Promise<void> {
  const message = chatMessage(police.id);
  expect(await post(agent.url, message)).toMatchObject({ status: 200 });
  await chatbot.waitFor(({ body }) => (body as { id: string }).id === message.id);
}

const certificateAt = (agent: AgentNode, id: string) => {
  const { node } = agent.broker.getLocalService('directory') as unknown as {
    node: { directory: { get(id: string): { authenticationCertificate: string } | undefined } };
  };
  return node.directory.get(id)?.authenticationCertificate;
};

describe('an agent that changes its key', () => {
  it('first, and CentOps after it: it uses the old one until the new one is listed', async () => {
    const { old, changed, withBoth } = changingAgent('Tax Office');
    centOps.agents = [police, old];
    const agent = await startAgent(changed, server.url, chatbot.url, { env: withBoth });
    await asks(agent);
    centOps.agents = [police, changed];
    await eventually(() => certificateAt(agent, old.id) === changed.publicKeyPem);
    await asks(agent);
    await agent.stop();
  });

  it('after CentOps: it is out until it has the new one, and then gets in by itself', async () => {
    const { old, changed, env, withBoth } = changingAgent('Rescue Board');
    centOps.agents = [police, old];
    const before = await startAgent(old, server.url, chatbot.url, { env });
    await asks(before);
    centOps.agents = [police, changed];
    await eventually(async () => (await fetch(`${before.url}/v1/health`)).status === 503);
    await before.stop();
    // What it remembers says that the old one fits.
    const after = await startAgent(changed, server.url, chatbot.url, { env: withBoth });
    await asks(after);
    await after.stop();
  });

  it('comes in at a deployed server, which lets a bad token in before it drops it', async () => {
    const { old, changed, withBoth } = changingAgent('Weather Service');
    const deployed = await DeployedServer.start({ agents: [old, police] });
    const agent = await startAgent(changed, deployed.url, chatbot.url, { env: withBoth });
    expect(deployed.refusedTokens.length).toBeGreaterThan(0);
    expect(await post(agent.url, chatMessage(police.id))).toMatchObject({ status: 200 });
    await agent.stop();
    await deployed.close();
  });
});
