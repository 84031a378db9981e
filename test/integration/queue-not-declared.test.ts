import { connect, type ChannelModel } from 'amqplib';
import { dlqName } from '../../lib/amqp/topology';
import { startCentOps, type CentOps } from '../helpers/centops';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { startServerNode, type ServerNode } from '../helpers/mesh';
import { Queues } from '../helpers/queues';
import { useVhost } from '../helpers/rabbitmq';

const { amqp } = useVhost();

const agents = ['Tax Office', 'Police', 'Registry'].map((name) => makeIdentity(name));
const [taken] = agents.map(({ id }) => id).sort() as [string];

describe('a queue that cannot be declared', () => {
  const queues = new Queues(amqp);
  let centOps: CentOps;
  let owner: ChannelModel;
  let server: ServerNode;

  beforeAll(async () => {
    const { host: hostname, port, user: username, password, vhost } = amqp;
    owner = await connect({ hostname, port, username, password, vhost });
    const channel = await owner.createChannel();
    await channel.assertQueue(dlqName(taken), { exclusive: true }); // nobody else may touch it: 405
    centOps = await startCentOps(agents);
    server = await startServerNode(amqp, centOps.url);
  });

  afterAll(async () => {
    await queues.close();
    await server?.stop();
    await owner?.close();
    await centOps?.close();
  });

  it('keeps no other from being declared, those of its own agent among them', async () => {
    const all = agents.flatMap(({ id }) => [id, dlqName(id)]).filter((queue) => queue !== dlqName(taken));
    await eventually(async () => {
      const found = await Promise.all(all.map(async (queue) => (await queues.look(queue)) && queue));
      expect(found).toEqual(all);
    });
  });
});
