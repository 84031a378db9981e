import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { io, type Socket } from 'socket.io-client';
import { startCentOps, type CentOps } from '../helpers/centops';
import { DeployedAgent, EVENTS, makeDeployedToken, NAMESPACE } from '../helpers/deployed-agent';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { startServerNode, type ServerNode } from '../helpers/mesh';
import { Queues } from '../helpers/queues';
import { useVhost } from '../helpers/rabbitmq';

const { amqp } = useVhost();

const tax = makeIdentity('Tax Office');
const police = makeIdentity('Police');
const DLQ = `${police.id}.dlq`;

describe('a message that its recipient does not take', () => {
  let centOps: CentOps;
  let server: ServerNode;
  let sender: DeployedAgent;
  let recipient: DeployedAgent | undefined;
  const queues = new Queues(amqp);

  beforeAll(async () => {
    centOps = await startCentOps([tax, police]);
    const env = {
      MESSAGE_DELIVERY_MAX_TRIES: '3',
      MESSAGE_DELIVERY_TIMEOUT_MS: '100',
      MESSAGE_RETRY_DELAY_MS: '20',
      MESSAGE_RETRY_DELAY_MAX_MS: '40',
      AGENT_LIST_GRACE_MS: '10',
    };
    server = await startServerNode(amqp, centOps.url, { env });
    sender = await (await DeployedAgent.start({ url: server.url, identity: tax })).ready();
  });

  afterEach(async () => {
    recipient?.close();
    recipient = undefined;
    await eventually(async () => (await queues.look(police.id))?.consumers === 0);
  });

  afterAll(async () => {
    sender?.close();
    await queues.close();
    await server?.stop();
    await centOps?.close();
  });

  const refusing = async (error: object) => {
    recipient = await (await DeployedAgent.start({ url: server.url, identity: police })).ready();
    recipient.answerWith({ status: 'error', errors: [error] });
    return recipient;
  };

  it('is tried again and dead-lettered with the reason and the number of tries', async () => {
    const agent = await refusing({ type: 'DELIVERY_FAILED', message: 'down' });
    await sender.send(police.id, { text: 'Hello?' });
    const [dead] = await queues.waitFor(DLQ, 1);
    expect(dead?.headers).toMatchObject({ 'x-dmr-reason': 'DELIVERY_FAILED', 'x-dmr-tries': 3 });
    expect(agent.messages).toHaveLength(3);
  });

  it('is dead-lettered at once when the recipient says that no further try can help', async () => {
    const agent = await refusing({ type: 'DELIVERY_FAILED', message: '422', final: true });
    await sender.send(police.id, { text: 'Hello?' });
    const [dead] = await queues.waitFor(DLQ, 1);
    expect(dead?.headers).toMatchObject({ 'x-dmr-reason': 'CHATBOT_REFUSED', 'x-dmr-tries': 1 });
    expect(dead?.messageId).toBe(agent.messages[0]?.envelope.id);
    expect(agent.messages).toHaveLength(1);
  });

  it('and cannot be parsed is dead-lettered before anybody gets it', async () => {
    const agent = await refusing({ type: 'DELIVERY_FAILED', message: 'down' });
    await queues.put(police.id, 'no JSON {');
    const [dead] = await queues.waitFor(DLQ, 1);
    expect(dead?.headers).toMatchObject({ 'x-dmr-reason': 'UNPARSEABLE', 'x-dmr-tries': 0 });
    expect(agent.messages).toEqual([]);
  });

  it('but drops its socket each time, is dead-lettered alone in the end; its neighbours are delivered', async () => {
    const ids = Array.from({ length: 5 }, () => randomUUID());
    const poison = ids[2];
    for (const id of ids) await sender.send(police.id, { text: 'Hello?' }, { id });
    const taken: string[] = [];
    let socket: Socket | undefined;
    let deadLetters = 0;
    for (let round = 0; round < 40 && deadLetters === 0; round++) {
      const auth = { token: await makeDeployedToken(police) };
      const options = { transports: ['websocket'], auth, forceNew: true, reconnection: false };
      const current = (socket = io(server.url + NAMESPACE, options));
      const gone = once(current as never, 'disconnect');
      current.on(EVENTS.fromServer, ({ id }: { id: string }, ack: (answer: unknown) => void) => {
        if (id === poison) return void current.io.engine.close();
        // It needs a moment for each, in which the poison that follows ends the connection.
        setTimeout(() => {
          if (current.connected) taken.push(id);
          ack({ status: 'ok' });
        }, 30);
      });
      const delivered = eventually(() => taken.length === 4 && deadLetters > 0, { timeoutMs: 3000 });
      const dead = eventually(async () => (deadLetters = (await queues.look(DLQ))?.ready ?? 0) > 0, {
        timeoutMs: 3000,
      });
      await Promise.race([gone, Promise.allSettled([delivered, dead])]);
    }
    await eventually(() => new Set(taken).size === 4);
    socket?.disconnect();
    const dead = await queues.drain(DLQ);
    expect(dead.map(({ messageId }) => messageId)).toEqual([poison]);
    expect(dead[0]?.headers).toMatchObject({ 'x-dmr-reason': 'SOCKET_LOST', 'x-dmr-tries': 16 });
    expect(new Set(taken)).toEqual(new Set(ids.filter((id) => id !== poison)));
    expect(await queues.leftAfterConsumer(police.id)).toEqual([]);
  }, 60_000);
});
