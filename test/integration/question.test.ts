import { startCentOps, type CentOps } from '../helpers/centops';
import { startChatbot, type Chatbot } from '../helpers/chatbot';
import { makeIdentity } from '../helpers/keys';
import { chatMessage, post, startAgent, startServerNode, type AgentNode, type ServerNode } from '../helpers/mesh';
import { useVhost } from '../helpers/rabbitmq';

const { amqp, management } = useVhost();

describe('a question crosses from one organisation to another', () => {
  const tax = makeIdentity('Tax Office');
  const police = makeIdentity('Police');
  let centOps: CentOps;
  let server: ServerNode;
  let chatbot: Chatbot;
  let taxAgent: AgentNode;
  let policeAgent: AgentNode;

  beforeAll(async () => {
    centOps = await startCentOps([tax, police]);
    server = await startServerNode(amqp, centOps.url);
    chatbot = await startChatbot();
    taxAgent = await startAgent(tax, server.url, chatbot.url);
    policeAgent = await startAgent(police, server.url, chatbot.url);
  });

  afterAll(async () => {
    for (const part of [policeAgent, taxAgent, server]) await part?.stop();
    await chatbot?.close();
    await centOps?.close();
  });

  it('is posted at one agent, answered 200 with an empty body, and arrives opened at the other chatbot', async () => {
    const question = chatMessage(police.id);
    const answer = await post(taxAgent.url, question);
    expect(answer).toMatchObject({ status: 200, text: '' });
    const { body } = await chatbot.waitFor((request) => (request.body as { id: string }).id === question.id);
    expect(body).toEqual({ ...question, senderId: tax.id });
  });

  it('leaves nothing in the queue', async () => {
    const queue = await management.get(police.id);
    expect(queue).toMatchObject({ type: 'quorum', durable: true });
  });
});
