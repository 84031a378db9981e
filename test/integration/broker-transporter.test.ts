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

/** A node of the mesh with one action. */
async function startNode(name: string, config = amqp): Promise<ServiceBroker> {
  const broker = new ServiceBroker({ ...meshBrokerOptions(name, { ...node, amqp: config }), logger: false });
  broker.createService({ name, actions: { ping: () => name } });
  await broker.start();
  return broker;
}

const channelOf = (broker: ServiceBroker) =>
  (broker as unknown as { transit: { tx: { channel: Channel } } }).transit.tx.channel;

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

  const speak = async () => {
    expect(await one.call('two.ping', {}, { timeout: 500, retries: 0 })).toBe('two');
    expect(await two.call('one.ping', {}, { timeout: 500, retries: 0 })).toBe('one');
  };
  const speakAgain = () => eventually(speak, { timeoutMs: BACK_WITHIN_MS });

  beforeEach(() => speakAgain());

  it('comes back when its channel is closed with 404', async () => {
    await expect(channelOf(one).checkQueue('nowhere')).rejects.toMatchObject({ code: 404 });
    expect(meshConnected(one)).toBe(false);
    await speakAgain();
    expect(meshConnected(one)).toBe(true);
  });

  it('comes back when its channel is closed with 406', async () => {
    const queue = `MOL-dmr.REQ.${one.nodeID}`;
    await expect(channelOf(one).assertQueue(queue, { expires: 1 })).rejects.toMatchObject({ code: 406 });
    await speakAgain();
  });

  it('comes back when an operator closes all connections', async () => {
    await management.closeConnections(2);
    await speakAgain();
  });

  it.each(['REQ', 'RES'])('comes back when its queue %s is deleted', async (of) => {
    await management.request('DELETE', `queues/${amqp.vhost}/MOL-dmr.${of}.${one.nodeID}`);
    await speakAgain();
  });

  it('goes to the next host when its connection falls silent', async () => {
    // Whichever of its hosts it is on by now: one round is enough to be on the first.
    while ((await management.connections()).length > 0 && !viaProxy()) {
      await management.closeConnections(2);
      await speakAgain();
    }
    proxy.freeze();
    await eventually(() => !meshConnected(one));
    await speakAgain();
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

  const viaProxy = () => proxy.connections > 0;
});
