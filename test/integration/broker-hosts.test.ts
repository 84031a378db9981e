import { once } from 'node:events';
import { AmqpConnection } from '../../lib/amqp/connection';
import { freePorts } from '../../scripts/lib/broker/free-ports';
import { eventually } from '../helpers/eventually';
import { MessageLine } from '../helpers/message-line';
import { useVhost } from '../helpers/rabbitmq';
import { TcpProxy } from '../helpers/tcp-proxy';

const { amqp } = useVhost();
const HOST = '127.0.0.1';

/** The first host of the list is the first to be tried. */
beforeEach(() => void jest.spyOn(Math, 'random').mockReturnValue(0));
afterEach(() => void jest.restoreAllMocks());

const warn = jest.fn();
const log = { error: jest.fn(), warn, info: jest.fn(), debug: jest.fn() };
const [real] = amqp.hosts as [{ host: string; port: number }];

/** A line to the broker that comes first in the list of hosts. */
async function withProxy(work: (proxy: TcpProxy, config: typeof amqp) => Promise<void>): Promise<void> {
  const [port] = (await freePorts(1)) as [number];
  const proxy = new TcpProxy(port, amqp);
  try {
    await proxy.open();
    await work(proxy, { ...amqp, heartbeatS: 1, hosts: [{ host: HOST, port }, real] });
  } finally {
    await proxy.cut();
  }
}

async function msOf(work: Promise<unknown>): Promise<number> {
  const start = Date.now();
  await work;
  return Date.now() - start;
}

describe('a connection with several hosts', () => {
  it('goes to the next one at once when the first refuses', async () => {
    const [dead] = (await freePorts(1)) as [number];
    const connection = new AmqpConnection({ ...amqp, hosts: [{ host: HOST, port: dead }, real] }, 'test', log);
    connection.start();
    await connection.whenOpen(2000);
    expect(warn).toHaveBeenCalledWith(expect.stringContaining(`${HOST}:${dead} cannot be reached`));
    await connection.stop();
  });

  it('gives up one that accepts and never answers', async () => {
    await withProxy(async (proxy, config) => {
      proxy.freeze();
      const connection = new AmqpConnection(config, 'test', log);
      connection.start();
      await connection.whenOpen(12_000);
      await connection.stop();
    });
  });
});

describe('a connection that falls silent', () => {
  it('is given up after two to three heartbeats, and everything goes on over the next host', async () => {
    await withProxy(async (proxy, config) => {
      const line = await new MessageLine(config).start();
      await line.flows();
      const lost = once(line.publishing, 'close');
      proxy.freeze();
      const sent = line.send(15_000); // unknown outcome: repeated with the same id
      expect(await msOf(lost)).toBeLessThan(9000); // without heartbeats it would be minutes
      await sent;
      await line.flows();
      await line.nothingLost();
      await line.stop();
    });
  });

  it('does not hold back a node that stops', async () => {
    await withProxy(async (proxy, config) => {
      const line = await new MessageLine({ ...config, heartbeatS: 60 }).start();
      await line.flows();
      const streams = [line.publishing, line.consuming, line.admin].map((connection) => line.socketOf(connection));
      proxy.freeze();
      expect(await msOf(line.stop())).toBeLessThan(8000);
      await eventually(() => streams.every((stream) => stream.destroyed));
    });
  });
});
