import { connect } from 'amqplib';
import { startCentOps } from '../helpers/centops';
import { startChatbot } from '../helpers/chatbot';
import { makeIdentity } from '../helpers/keys';
import { chatMessage, post, startAgent, startServerNode } from '../helpers/mesh';
import { useVhost } from '../helpers/rabbitmq';

const { amqp } = useVhost();

it('a queue that is deleted again and again under a connected agent is declared, and its messages arrive', async () => {
  const [tax, police] = [makeIdentity('Tax Office'), makeIdentity('Police')];
  const centOps = await startCentOps([tax, police]);
  const server = await startServerNode(amqp, centOps.url);
  const chatbot = await startChatbot();
  const taxAgent = await startAgent(tax, server.url, chatbot.url);
  const policeAgent = await startAgent(police, server.url, chatbot.url);
  const operator = await connect({
    hostname: amqp.host,
    port: amqp.port,
    username: amqp.user,
    password: amqp.password,
    vhost: amqp.vhost,
  });
  const channel = await operator.createChannel();
  const arrival = async () => {
    const message = chatMessage(police.id);
    expect(await post(taxAgent.url, message)).toMatchObject({ status: 200 });
    await chatbot.waitFor(({ body }) => (body as { id: string }).id === message.id, 15_000);
  };

  await arrival();
  for (let round = 0; round < 5; round++) {
    await channel.deleteQueue(police.id);
    await arrival(); // posted at once: whoever declares the queue too early leaves the agent's consumer deaf
  }

  await operator.close();
  for (const node of [taxAgent, policeAgent, server]) await node.stop();
  await chatbot.close();
  await centOps.close();
}, 90_000);
