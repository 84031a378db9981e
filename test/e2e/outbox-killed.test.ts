import { startCentOps } from '../helpers/centops';
import { startChatbot } from '../helpers/chatbot';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { chatMessage, post, startServerNode } from '../helpers/mesh';
import { agentEnv, NodeProcess } from '../helpers/processes';
import { Queues } from '../helpers/queues';
import { useVhost } from '../helpers/rabbitmq';

const { amqp } = useVhost();
const queues = new Queues(amqp);

const tax = makeIdentity('Tax Office');
const police = makeIdentity('Police');
const COUNT = 300;

it('an agent that is killed with a full outbox, and again while it empties it, sends everything in order', async () => {
  const centOps = await startCentOps([tax, police]);
  const chatbot = await startChatbot();
  let server = await startServerNode(amqp, centOps.url);
  const { port } = new URL(server.url);
  const env = agentEnv(tax, server.url, chatbot.url);
  const start = (healthy: boolean) => NodeProcess.start('agent', ['agent'], env, { healthy });
  const kill = async (agent: NodeProcess) => {
    agent.kill();
    expect(await agent.ended()).toBe('SIGKILL');
  };
  let agent = await start(true);
  await server.stop();

  const ids: string[] = [];
  for (let n = 0; n < COUNT; n++) {
    const message = chatMessage(police.id);
    const { status } = await post(agent.url, message, { prefer: 'respond-async' });
    expect(status).toBe(202);
    ids.push(message.id);
  }
  await kill(agent);
  agent = await start(false);
  server = await startServerNode(amqp, centOps.url, { env: { PORT: port } });
  await eventually(async () => ((await queues.look(police.id))?.ready ?? 0) > 20, { timeoutMs: 30_000, everyMs: 5 });
  await kill(agent);
  const half = (await queues.look(police.id))?.ready ?? 0;
  agent = await start(false);

  const arrived: string[] = [];
  await eventually(
    async () => {
      arrived.push(...(await queues.drain(police.id)).map(({ body }) => (body as { id: string }).id));
      return new Set(arrived).size === COUNT;
    },
    { timeoutMs: 30_000 },
  );
  expect(half).toBeLessThan(COUNT); // else the second kill came too late to mean anything
  // A message whose ack the killed process had not written down is sent again, next to itself: its recipient drops it.
  const once = arrived.filter((id, index) => arrived[index - 1] !== id);
  expect(once).toEqual(ids);
  expect(arrived.length).toBeLessThanOrEqual(COUNT + 1);

  await kill(agent);
  await server.stop();
  await queues.close();
  await chatbot.close();
  await centOps.close();
}, 120_000);
