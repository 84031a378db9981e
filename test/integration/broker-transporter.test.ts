import { ServiceBroker } from 'moleculer';
import type { Channel } from 'amqplib';
import { meshConnected } from '../../lib/mesh/nodes';
import { meshBrokerOptions } from '../../lib/mesh/broker-options';
import { freePorts } from '../../scripts/lib/broker/free-ports';
import { eventually } from '../helpers/eventually';
import { useVhost } from '../helpers/rabbitmq';
import { TcpProxy } from '../helpers/tcp-proxy';

const { amqp, management } = useVhost();
jest.setTimeout(60_000);

const BACK_WITHIN_MS = 10_000;
const node = { environment: 'development', logger: { colors: false, level: 'error', format: 'json' } } as const;

interface Transporter {
  channel: Channel;
  connect(onLoss: unknown): Promise<void>;
}

const transporterOf = (broker: ServiceBroker) => (broker as unknown as { transit: { tx: Transporter } }).transit.tx;
const channelOf = (broker: ServiceBroker) => transporterOf(broker).channel;
/** By node: its last attempt to connect. */
const attempts = new Map<ServiceBroker, Promise<void>>();

/** A node of the mesh with one action. */
async function startNode(name: string, config = amqp): Promise<ServiceBroker> {
  const broker = new ServiceBroker({ ...meshBrokerOptions(name, { ...node, amqp: config }), logger: false });
  const transporter = transporterOf(broker);
  const connect = transporter.connect.bind(transporter);
  transporter.connect = (onLoss) => {
    const attempt = connect(onLoss);
    attempts.set(broker, attempt);
    return attempt;
  };
  broker.createService({ name, actions: { ping: () => name } });
  await broker.start();
  return broker;
}

describe('the transporter of a node', () => {
  let proxy: TcpProxy;
  let one: ServiceBroker;
  let two: ServiceBroker;

  beforeAll(async () => {
    const [port] = (await freePorts(1)) as [number];
    proxy = new TcpProxy(port, amqp);
    await proxy.open();
    jest.spyOn(Math, 'random').mockReturnValueOnce(0); // the first host is the first to be tried
    const hosts = [{ host: '127.0.0.1', port }, ...amqp.hosts];
    one = await startNode('one', { ...amqp, heartbeatS: 1, hosts });
    two = await startNode('two');
  });

  afterAll(async () => {
    await one?.stop();
    await two?.stop();
    await proxy?.cut();
  });

  /** They speak half a second before an attempt to connect is over, and a fault in between is another one. */
  const speak = async () => {
    expect(await one.call('two.ping', {}, { timeout: 500, retries: 0 })).toBe('two');
    expect(await two.call('one.ping', {}, { timeout: 500, retries: 0 })).toBe('one');
    await Promise.all([attempts.get(one), attempts.get(two)]);
  };
  const speakAgain = () => eventually(speak, { timeoutMs: BACK_WITHIN_MS });

  beforeEach(() => speakAgain());

  /** Sees nodes lose their channels for a fault, and come back with others. */
  async function expectReturn(fault: () => Promise<unknown>, nodes = [one]): Promise<void> {
    const lost = nodes.map(channelOf);
    await fault();
    await eventually(() => nodes.every((node) => !meshConnected(node)), { everyMs: 5 });
    await speakAgain();
    nodes.forEach((node, index) => expect(channelOf(node)).not.toBe(lost[index]));
    expect(nodes.every(meshConnected)).toBe(true);
  }

  const missQueue = () => expect(channelOf(one).checkQueue('nowhere')).rejects.toMatchObject({ code: 404 });

  it('comes back when its channel is closed with 404', () => expectReturn(missQueue));

  it('comes back when its channel is closed with 406', async () => {
    await expectReturn(() =>
      expect(channelOf(one).assertExchange('MOL-dmr.INFO', 'direct')).rejects.toMatchObject({ code: 406 }),
    );
  });

  it('comes back when it loses its channel again before it is back', async () => {
    const first = channelOf(one);
    await missQueue();
    await eventually(() => Boolean(channelOf(one)) && channelOf(one) !== first, {
      timeoutMs: BACK_WITHIN_MS,
      everyMs: 5,
    });
    await expectReturn(missQueue);
  });

  it('comes back when an operator closes all connections', async () => {
    await expectReturn(() => management.closeConnections(2), [one, two]);
  });

  it.each(['REQ', 'RES'])('comes back when its queue %s is deleted', async (of) => {
    const queue = `MOL-dmr.${of}.${one.nodeID}`;
    await expect(management.request('DELETE', `queues/${amqp.vhost}/${queue}`)).rejects.toThrow(
      /RESOURCE_LOCKED|40[05]/,
    );
    await expectReturn(() => channelOf(one).deleteQueue(queue)); // nobody else can
  });

  it('goes to the next host when its connection falls silent', async () => {
    // Whichever of its hosts it is on by now: one round is enough to be on the first.
    while ((await management.connections()).length > 0 && !viaProxy()) {
      await expectReturn(() => management.closeConnections(2), [one, two]);
    }
    await expectReturn(() => Promise.resolve(proxy.freeze()));
  });

  it('does not hold back a node that stops while its connection is silent', async () => {
    await proxy.cut();
    await proxy.open();
    jest.spyOn(Math, 'random').mockReturnValueOnce(0);
    const hosts = [{ host: '127.0.0.1', port: proxy.port }];
    const third = await startNode('three', { ...amqp, heartbeatS: 60, hosts });
    proxy.freeze();
    const start = Date.now();
    await third.stop();
    expect(Date.now() - start).toBeLessThan(5000);
  });

  it('comes back soon after the broker has noticed that its old connection is gone, and with it its queues', async () => {
    const [port] = (await freePorts(1)) as [number];
    const line = new TcpProxy(port, amqp);
    await line.open();
    const fourth = await startNode('four', { ...amqp, hosts: [{ host: '127.0.0.1', port }] });
    const lost = channelOf(fourth);
    line.endNear();
    await eventually(() => !meshConnected(fourth), { everyMs: 5 });
    // It notices after 6 to 9 s and is asked twice a second.
    await eventually(() => meshConnected(fourth) && channelOf(fourth) !== lost, { timeoutMs: 2 * BACK_WITHIN_MS });
    await fourth.stop();
    await line.cut();
  });

  const viaProxy = () => proxy.connections > 0;
});
