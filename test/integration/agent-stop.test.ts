import { startCentOps } from '../helpers/centops';
import { startChatbot } from '../helpers/chatbot';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { chatMessage, post, startAgent, startServerNode } from '../helpers/mesh';
import { useVhost } from '../helpers/rabbitmq';

const { amqp, management } = useVhost();

const tax = makeIdentity('Tax Office');
const police = makeIdentity('Police');

it('an agent that is stopped answers what its chatbot is still working on, so that it does not come twice', async () => {
  const centOps = await startCentOps([tax, police]);
  const server = await startServerNode(amqp, centOps.url);
  const chatbot = await startChatbot();
  const taxAgent = await startAgent(tax, server.url, chatbot.url);
  const policeAgent = await startAgent(police, server.url, chatbot.url);
  chatbot.answerWith({ delayMs: 700 }); // the chatbot is busy while its agent is stopped
  const message = chatMessage(police.id);
  const mine = ({ body }: { body: unknown }) => (body as { id: string }).id === message.id;
  await post(taxAgent.url, message);
  await chatbot.waitFor(mine);
  await policeAgent.stop();

  // Its successor remembers nothing: whatever was left in the queue would reach the chatbot again.
  const successor = await startAgent(police, server.url, chatbot.url);
  const last = chatMessage(police.id);
  await post(taxAgent.url, last);
  await chatbot.waitFor(({ body }) => (body as { id: string }).id === last.id);
  await eventually(async () => (await management.get(police.id)).messages === 0);
  expect(chatbot.received.filter(mine)).toHaveLength(1);

  for (const node of [successor, taxAgent, server]) await node.stop();
  await chatbot.close();
  await centOps.close();
});
