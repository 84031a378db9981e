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

describe('an agent that answers much at once and leaves', () => {
  const police = makeIdentity('Police');
  const queues = new Queues(amqp);
  let centOps: CentOps;
  let server: ServerNode;
  let socket: Socket;

  beforeAll(async () => {
    centOps = await startCentOps([police]);
    server = await startServerNode(amqp, centOps.url);
  });

  afterAll(async () => {
    socket?.disconnect();
    await queues.close();
    await server?.stop();
    await centOps?.close();
  });

  /** Logs in; what comes is answered by whoever calls what it is given with. */
  async function login(onMessage: (id: string, ack: (answer: unknown) => void) => void): Promise<Socket> {
    const auth = { token: await makeDeployedToken(police) };
    socket = io(server.url + NAMESPACE, { transports: ['websocket'], auth, forceNew: true, reconnection: false });
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

  it('gets none of it again', async () => {
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
