import { startCentOps, type CentOps } from '../helpers/centops';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { startServerNode, type ServerNode } from '../helpers/mesh';
import { Queues } from '../helpers/queues';
import { useVhost } from '../helpers/rabbitmq';
import { RawSocket } from '../helpers/raw-socket';

const { amqp } = useVhost();

const police = makeIdentity('Police');

describe('logins of one agent that cross each other on two nodes', () => {
  let centOps: CentOps;
  const nodes: ServerNode[] = [];
  const queues = new Queues(amqp);

  beforeAll(async () => {
    centOps = await startCentOps([police]);
    for (let count = 0; count < 2; count++) nodes.push(await startServerNode(amqp, centOps.url));
  });

  afterAll(async () => {
    await queues.close();
    for (const node of nodes) await node.stop();
    await centOps?.close();
  });

  it('leave one of them, without waiting for each other', async () => {
    const took: number[] = [];
    for (let round = 0; round < 10; round++) {
      const sockets = await Promise.all(nodes.map(({ url }) => RawSocket.open(url, police)));
      const began = performance.now();
      const isSettled = async () =>
        sockets.filter(({ connected }) => connected).length === 1 && (await queues.look(police.id))?.consumers === 1;
      await eventually(isSettled, { everyMs: 10 });
      took.push(performance.now() - began);
      sockets.forEach((socket) => socket.close());
      await eventually(async () => (await queues.look(police.id))?.consumers === 0);
    }
    // With the grace after the list a quarter of a second; logins that wait for each other need one more.
    expect(took.sort((a, b) => a - b)[5]).toBeLessThan(900);
  });
});
