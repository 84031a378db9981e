import type { ChannelModel } from 'amqplib';
import { startCentOps, type CentOps } from '../helpers/centops';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { startServerNode, type ServerNode } from '../helpers/mesh';
import { Queues } from '../helpers/queues';
import { useVhost } from '../helpers/rabbitmq';
import { RawSocket } from '../helpers/raw-socket';

const { amqp } = useVhost();

const police = makeIdentity('Police');

interface Transporter {
  connection: ChannelModel;
  connect(onLoss: unknown): Promise<void>;
}

/** Takes the transporter of a node away until the returned function is called; everything else of it goes on. */
async function cutOff({ broker }: ServerNode): Promise<() => void> {
  const { tx } = (broker as unknown as { transit: { tx: Transporter } }).transit;
  const connect = tx.connect.bind(tx);
  let letThrough: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (letThrough = resolve));
  tx.connect = (onLoss) => opened.then(() => connect(onLoss));
  await tx.connection.close();
  return letThrough;
}

describe('a login elsewhere that a node was not told of', () => {
  let centOps: CentOps;
  let [cut, other] = [] as unknown as [ServerNode, ServerNode];
  const sockets: RawSocket[] = [];
  const queues = new Queues(amqp);

  beforeAll(async () => {
    centOps = await startCentOps([police]);
    cut = await startServerNode(amqp, centOps.url);
    other = await startServerNode(amqp, centOps.url);
    await eventually(() => cut.broker.call('gateway.io.state', {}, { nodeID: other.broker.nodeID }));
    await eventually(() => other.broker.call('gateway.io.state', {}, { nodeID: cut.broker.nodeID }));
  });

  afterAll(async () => {
    for (const socket of sockets) socket.close();
    await queues.close();
    for (const node of [cut, other]) await node?.stop();
    await centOps?.close();
  });

  it('ends the one there when its transporter is back, before anybody has missed the node', async () => {
    const joined = jest.fn();
    for (const { broker } of [cut, other]) broker.localBus.on('$node.connected', joined);
    const older = await RawSocket.open(cut.url, police);
    sockets.push(older);
    await eventually(async () => (await queues.look(police.id))?.consumers === 1);
    const goOn = await cutOff(cut);
    const newer = await RawSocket.open(other.url, police);
    sockets.push(newer);
    await eventually(async () => (await queues.look(police.id))?.consumers === 2);
    expect(older.connected).toBe(true);
    goOn();
    await eventually(() => !older.connected, { timeoutMs: 10_000 });
    await eventually(async () => (await queues.look(police.id))?.consumers === 1);
    expect(newer.connected).toBe(true);
    // Else the comparison might be the one that belongs to a node that joins.
    expect(joined).not.toHaveBeenCalled();
  });
});
