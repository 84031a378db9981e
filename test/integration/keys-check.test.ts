import { startCentOps, type CentOps } from '../helpers/centops';
import { startChatbot, type Chatbot } from '../helpers/chatbot';
import { eventually } from '../helpers/eventually';
import { makeIdentity, type AgentIdentity } from '../helpers/keys';
import { chatMessage, post, startAgent, startServerNode, untilHealthy, type ServerNode } from '../helpers/mesh';
import { useVhost } from '../helpers/rabbitmq';
import { runDmr } from '../helpers/run-dmr';

const { amqp } = useVhost();

const tax = makeIdentity('Tax Office');
const police = makeIdentity('Police');
const thief = makeIdentity('Thief');

describe('dmr keys check with a server of ours', () => {
  let centOps: CentOps;
  let server: ServerNode;
  let chatbot: Chatbot;

  beforeAll(async () => {
    centOps = await startCentOps([tax, police]);
    server = await startServerNode(amqp, centOps.url);
    chatbot = await startChatbot();
  });

  afterAll(async () => {
    await server?.stop();
    await chatbot?.close();
    await centOps?.close();
  });

  const check = async ({ id, privateKeyPem }: AgentIdentity) => {
    const env = { AGENT_ID: id, AGENT_PRIVATE_KEY: privateKeyPem, DMR_SERVER_WEBSOCKET_URL: server.url };
    const { code, out } = await runDmr(['keys', 'check', '--json'], env);
    return { code, outcome: (JSON.parse(out) as { outcome: string }).outcome };
  };

  it('tells the three cases apart', async () => {
    expect(await check(police)).toEqual({ code: 0, outcome: 'FITS' });
    expect(await check({ ...police, privateKeyPem: thief.privateKeyPem })).toEqual({
      code: 1,
      outcome: 'DOES_NOT_FIT',
    });
    expect(await check(thief)).toEqual({ code: 2, outcome: 'NOT_LISTED' });
  });

  it('leaves an agent that runs with what was sent to it', async () => {
    const [sender, recipient] = [
      await startAgent(tax, server.url, chatbot.url),
      await startAgent(police, server.url, chatbot.url),
    ];
    const message = chatMessage(police.id);
    try {
      const [checked, posted] = await Promise.all([check(police), post(sender.url, message)]);
      expect({ checked, status: posted.status }).toEqual({ checked: { code: 0, outcome: 'FITS' }, status: 200 });
      await eventually(() =>
        expect(chatbot.received.map(({ body }) => (body as { id: string }).id)).toContain(message.id),
      );
      await untilHealthy(recipient.url);
    } finally {
      for (const agent of [sender, recipient]) await agent.stop();
    }
  });
});
