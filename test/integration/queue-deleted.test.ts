import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'amqplib';
import { io } from 'socket.io-client';
import { agentQueues } from '../../lib/amqp/topology';
import type { NodeRouterService } from '../../mixins/node-router.mixin';
import { startCentOps } from '../helpers/centops';
import { startChatbot } from '../helpers/chatbot';
import { EVENTS, makeDeployedToken, NAMESPACE } from '../helpers/deployed-agent';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { chatMessage, post, startAgent, startServerNode } from '../helpers/mesh';
import { Queues } from '../helpers/queues';
import { useVhost } from '../helpers/rabbitmq';

const { amqp } = useVhost();
const access = {
  hostname: amqp.host,
  port: amqp.port,
  username: amqp.user,
  password: amqp.password,
  vhost: amqp.vhost,
};

it('a queue that is deleted again and again under a connected agent is declared, and its messages arrive', async () => {
  const [tax, police] = [makeIdentity('Tax Office'), makeIdentity('Police')];
  const centOps = await startCentOps([tax, police]);
  const server = await startServerNode(amqp, centOps.url);
  const chatbot = await startChatbot();
  const taxAgent = await startAgent(tax, server.url, chatbot.url);
  const policeAgent = await startAgent(police, server.url, chatbot.url);
  const operator = await connect(access);
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

it('a consumer that RabbitMQ has taken over into a new queue begins anew when a node declares that queue', async () => {
  const [tax, police] = [makeIdentity('Tax Office'), makeIdentity('Police')];
  const centOps = await startCentOps([tax, police]);
  const [one, two] = [await startServerNode(amqp, centOps.url), await startServerNode(amqp, centOps.url)];
  const chatbot = await startChatbot();
  const taxAgent = await startAgent(tax, one.url, chatbot.url);
  const policeAgent = await startAgent(police, two.url, chatbot.url);
  const { nodeRouter } = one.broker.getLocalService('gateway.io') as unknown as NodeRouterService;
  const redeclared: string[] = [];
  nodeRouter.on('redeclared', (agentId) => redeclared.push(agentId));
  const operator = await connect(access);
  const channel = await operator.createChannel();
  const [, queue] = agentQueues(police.id, one.config.ttl);
  const first = chatMessage(police.id);
  const arrived = (id: string) => (request: { body: unknown }) => (request.body as { id: string }).id === id;
  await post(taxAgent.url, first);
  await chatbot.waitFor(arrived(first.id)); // without one before, RabbitMQ 3.10 does it right

  /** Nobody is told of it, unless RabbitMQ takes its time in between; then the consumer is deaf, and this message waits. */
  const declareUnnoticed = async () => {
    await channel.deleteQueue(police.id);
    await channel.assertQueue(police.id, queue?.options);
    const message = chatMessage(police.id);
    const { id } = message;
    expect(await post(taxAgent.url, message)).toMatchObject({ status: 200 });
    const isDeaf = await chatbot.waitFor(arrived(id), 1000).then(
      () => false,
      () => true,
    );
    return isDeaf && id;
  };
  const waiting = await eventually(declareUnnoticed, { timeoutMs: 30_000 });
  nodeRouter.emit('redeclared', police.id, 0); // what the node says when it was the one
  await chatbot.waitFor(arrived(waiting), 15_000);

  redeclared.length = 0;
  await channel.deleteQueue(police.id);
  const posts = [1, 2, 3].map(() => post(taxAgent.url, chatMessage(police.id)));
  expect((await Promise.all(posts)).map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(redeclared).toEqual([police.id]);

  await operator.close();
  for (const node of [taxAgent, policeAgent, one, two]) await node.stop();
  await chatbot.close();
  await centOps.close();
}, 90_000);

it('a consumer that began after the queue was deleted keeps what it has in flight', async () => {
  const [tax, police] = [makeIdentity('Tax Office'), makeIdentity('Police')];
  const centOps = await startCentOps([tax, police]);
  const env = { MESSAGE_DELIVERY_TIMEOUT_MS: '60000' }; // no other try
  const server = await startServerNode(amqp, centOps.url, { env });
  const chatbot = await startChatbot();
  const taxAgent = await startAgent(tax, server.url, chatbot.url);
  const auth = { token: await makeDeployedToken(police) };
  const socket = io(server.url + NAMESPACE, { transports: ['websocket'], auth, forceNew: true, reconnection: false });
  const received: string[] = [];
  socket.on(EVENTS.fromServer, ({ id }: { id: string }) => received.push(id)); // answers nothing: all is in flight
  await once(socket as never, 'connect');
  const queues = new Queues(amqp);
  const { nodeRouter } = server.broker.getLocalService('gateway.io') as unknown as NodeRouterService;
  const redeclared: string[] = [];
  nodeRouter.on('redeclared', (agentId) => redeclared.push(agentId));
  const isConsumed = async () => (await queues.look(police.id))?.consumers === 1;
  await eventually(isConsumed);

  await queues.remove(police.id);
  const first = chatMessage(police.id);
  const posted = post(taxAgent.url, first);
  await eventually(isConsumed, { everyMs: 10 });
  const id = randomUUID();
  await queues.put(police.id, { id, recipientId: police.id, payload: 'sealed' });
  await eventually(() => received.includes(id), { everyMs: 10 });
  expect(await posted).toMatchObject({ status: 200 });
  await eventually(() => received.includes(first.id));
  expect(redeclared).toEqual([police.id]);
  // Of a consumer that began anew both would have come again by the next message.
  const last = randomUUID();
  await queues.put(police.id, { id: last, recipientId: police.id, payload: 'sealed' });
  await eventually(() => received.includes(last));
  expect(received.filter((one) => one === id)).toHaveLength(1);

  socket.disconnect();
  await queues.close();
  for (const node of [taxAgent, server]) await node.stop();
  await chatbot.close();
  await centOps.close();
}, 90_000);
