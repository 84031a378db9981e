import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { io, type Socket } from 'socket.io-client';
import type { Settlement } from '../../lib/amqp/consumer';
import { startCentOps, type CentOps } from '../helpers/centops';
import { EVENTS, makeDeployedToken, NAMESPACE } from '../helpers/deployed-agent';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { startServerNode, type ServerNode } from '../helpers/mesh';
import { MessageLine } from '../helpers/message-line';
import { Queues } from '../helpers/queues';
import { useVhost } from '../helpers/rabbitmq';

const { amqp } = useVhost();

/** Of acks to a quorum queue RabbitMQ sends 32 ahead, and loses the rest with the channel. */
const MANY = 50;

it('a channel that closes at once after many acks has lost none of them', async () => {
  const line = await new MessageLine(amqp).start();
  const settle: ((settlement: Settlement) => void)[] = [];
  const seen: unknown[] = [];
  line.handle = ({ properties }) => {
    seen.push(properties.messageId);
    return new Promise((resolve) => settle.push(resolve));
  };
  const sent = await Promise.all(Array.from({ length: MANY }, () => line.send()));
  await eventually(() => settle.length === MANY);
  settle.splice(0).forEach((resolve, index) => resolve(index === MANY - 1 ? 'keep' : 'ack'));
  const next = await line.send();
  await eventually(() => seen.includes(next));
  const kept = sent.at(-1);
  expect(seen).toEqual([...sent, kept, next]);
  settle.forEach((resolve) => resolve('ack'));
  await line.stop();
});

describe('the acks of an agent', () => {
  const police = makeIdentity('Police');
  const queues = new Queues(amqp);
  let centOps: CentOps;
  let server: ServerNode;
  let other: ServerNode;
  let socket: Socket;

  beforeAll(async () => {
    centOps = await startCentOps([police]);
    [server, other] = [await startServerNode(amqp, centOps.url), await startServerNode(amqp, centOps.url)];
  });

  afterAll(async () => {
    socket?.disconnect();
    await queues.close();
    for (const node of [server, other]) await node?.stop();
    await centOps?.close();
  });

  /** Logs in; what comes is answered by whoever calls what it is given with. */
  async function login(onMessage: (id: string, ack: (answer: unknown) => void) => void): Promise<Socket> {
    const auth = { token: await makeDeployedToken(police) };
    const options = { transports: ['websocket'], auth, forceNew: true, reconnectionDelay: 100, randomizationFactor: 0 };
    socket = io(server.url + NAMESPACE, options);
    socket.on(EVENTS.fromServer, ({ id }: { id: string }, ack: (answer: unknown) => void) => onMessage(id, ack));
    await once(socket as never, 'connect', { signal: AbortSignal.timeout(5000) });
    return socket;
  }

  const put = async (count: number) => {
    const ids = Array.from({ length: count }, () => randomUUID());
    await queues.putAll(
      police.id,
      ids.map((id) => ({ id, body: { id, recipientId: police.id, payload: 'sealed' } })),
    );
    return ids;
  };

  // First: both nodes have sent as much, which is nothing.
  it('count for the message that they answer, also when they come to another node', async () => {
    const acks = new Map<string, (answer: unknown) => void>();
    let answers = true;
    const moving = await login((id, ack) => {
      if (!acks.has(id)) acks.set(id, ack); // of the node that sent it first
      if (answers) ack({ status: 'ok' });
    });
    await put(1);
    await eventually(async () => acks.size === 1 && (await queues.look(police.id))?.ready === 0);
    answers = false;
    const [late] = await put(1);
    await eventually(() => acks.size === 2);
    (moving.io as unknown as { uri: string }).uri = other.url;
    moving.io.engine.close();
    const [next] = await put(1);
    await eventually(() => acks.has(next ?? ''));
    // The first node's second message: the other one's second is `next`.
    acks.get(late ?? '')?.({ status: 'ok' });
    await moving.timeout(5000).emitWithAck(EVENTS.toServer, {}); // an answer to it says that all before it was read
    moving.disconnect();
    await eventually(async () => (await queues.look(police.id))?.consumers === 0);
    const left = await queues.drain(police.id);
    expect(left.map(({ messageId }) => messageId)).toEqual([late, next]);
  });

  it('count, all of them, where it answers much at once and leaves', async () => {
    const acks: ((answer: unknown) => void)[] = [];
    const first = await login((_id, ack) => acks.push(ack));
    await put(MANY);
    await eventually(() => acks.length === MANY);
    for (const ack of acks) ack({ status: 'ok' });
    await once(first.io.engine as never, 'drain');
    first.disconnect();

    const again: string[] = [];
    await login((id, ack) => {
      again.push(id);
      ack({ status: 'ok' });
    });
    const [next] = await put(1);
    await eventually(() => again.includes(next ?? ''));
    expect(again).toEqual([next]);
  });
});
