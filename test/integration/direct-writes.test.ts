import { once } from 'node:events';
import type { Writable } from 'node:stream';
import type { ChannelModel, ConfirmChannel, ConsumeMessage } from 'amqplib';
import { AmqpConnection } from '../../lib/amqp/connection';
import { eventually } from '../helpers/eventually';
import { useVhost } from '../helpers/rabbitmq';

const { amqp } = useVhost();

const CHANNELS = 5;
/** More than a frame of RabbitMQ holds (131,072 bytes), so that its bytes are several frames. */
const LARGE = 300_000;
const MIB = 2 ** 20;

describe('frames that a channel writes itself', () => {
  const log = { debug: jest.fn(), info: jest.fn(), warn: jest.fn(), error: jest.fn() };
  const connection = new AmqpConnection(amqp, 'direct-writes', log);
  let model: ChannelModel;
  let socket: Writable;

  beforeAll(async () => {
    connection.start();
    model = await connection.whenOpen(10_000);
    ({ stream: socket } = model.connection as unknown as { stream: Writable });
  });
  afterAll(() => connection.stop());

  /** A queue of its own, and a channel that publishes. */
  async function channelWithQueue(queue: string): Promise<ConfirmChannel> {
    const channel = await connection.channel((of) => of.createConfirmChannel());
    await channel.assertQueue(queue, { exclusive: true });
    return channel;
  }

  async function consumed(channel: ConfirmChannel, queue: string, count: number): Promise<Buffer[]> {
    const bodies: Buffer[] = [];
    const take = (message: ConsumeMessage | null) => {
      if (message) bodies.push(message.content);
    };
    const { consumerTag } = await channel.consume(queue, take, { noAck: true });
    await eventually(() => expect(bodies).toHaveLength(count));
    await channel.cancel(consumerTag);
    return bodies;
  }

  it('are with the socket as soon as they are made', async () => {
    const channel = await channelWithQueue('soon');
    const before = socket.writableLength;
    channel.sendToQueue('soon', Buffer.alloc(1000));
    expect(socket.writableLength).toBeGreaterThan(before + 1000);
    await channel.waitForConfirms();
    await channel.close();
  });

  it('arrive whole and in the order of their channel, beside those of others', async () => {
    const names = Array.from({ length: CHANNELS }, (_, i) => `beside-${i}`);
    const channels = await Promise.all(names.map(channelWithQueue));
    const bodies = Array.from({ length: 40 }, (_, n) => Buffer.alloc(n % 10 === 9 ? LARGE : 10 * n, n));
    for (const body of bodies) channels.forEach((channel, i) => channel.sendToQueue(names[i] as string, body));
    const arrived = await Promise.all(
      channels.map((channel, i) => consumed(channel, names[i] as string, bodies.length)),
    );
    for (const list of arrived) expect(list.map((body, n) => body.equals(bodies[n] as Buffer))).not.toContain(false);
    await Promise.all(channels.map((channel) => channel.close()));
  });

  it('are refused a place past 1 MiB, and each channel hears when there is one again', async () => {
    const channels = await Promise.all(['full-1', 'full-2'].map(channelWithQueue));
    const [first, second] = channels as [ConfirmChannel, ConfirmChannel];
    const drained = channels.map((channel) => once(channel, 'drain'));
    const early = jest.fn();
    for (const channel of channels) channel.once('drain', early);
    socket.cork(); // as a broker that does not read
    expect(first.sendToQueue('full-1', Buffer.alloc(1000))).toBe(true);
    expect(first.sendToQueue('full-1', Buffer.alloc(MIB))).toBe(false);
    expect(second.sendToQueue('full-2', Buffer.alloc(1000))).toBe(false);
    expect(early).not.toHaveBeenCalled();
    socket.uncork();
    await Promise.all(drained);
    expect(first.sendToQueue('full-1', Buffer.alloc(1000))).toBe(true);
    await Promise.all(channels.map((channel) => channel.waitForConfirms()));
    await Promise.all(channels.map((channel) => channel.close()));
  });
});
