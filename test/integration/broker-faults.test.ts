import { setTimeout as pause } from 'node:timers/promises';
import type { Cluster } from '../../scripts/lib/broker/cluster';
import { startCluster } from '../../scripts/lib/broker/cluster';
import { queueDepth } from '../../lib/amqp/admin';
import { startCentOps } from '../helpers/centops';
import { startChatbot } from '../helpers/chatbot';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { chatMessage, post, startAgent, startServerNode } from '../helpers/mesh';
import { MessageLine } from '../helpers/message-line';
import { testAmqp } from '../helpers/rabbitmq';

/** A broker of its own: what is broken here would stop every other test. */
jest.setTimeout(60_000);

let cluster: Cluster;
let line: MessageLine;

beforeAll(async () => {
  cluster = await startCluster({ nodes: 1 });
  line = await new MessageLine({ ...testAmqp(cluster.amqp), heartbeatS: 1 }).start();
});

afterAll(async () => {
  await line?.stop();
  await cluster?.stop();
});

beforeEach(() => line.flows());

afterEach(async () => {
  await line.flows();
  await line.nothingLost();
});

const node = () => cluster.nodes[0] as Cluster['nodes'][0];
const ctl = (...args: string[]) => node().ctl(...args);

async function management(method: string, path: string): Promise<unknown> {
  const { user, password } = cluster.amqp;
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  const response = await fetch(`${node().managementUrl}/api/${path}`, { method, headers: { authorization } });
  if (!response.ok) throw new Error(`${path} was answered with ${response.status}`);
  return response.status === 204 ? undefined : response.json();
}

describe('under a stream of messages', () => {
  let stream: { stop(): Promise<void> };
  beforeEach(() => void (stream = line.stream()));
  afterEach(() => stream.stop());

  it('every connection is closed by the operator', async () => {
    await ctl('close_all_connections', '--vhost', '/', 'a test');
  });

  it.each(['publisher', 'consumer'] as const)('the channel of the %s is closed with 404', async (of) => {
    await expect(line.channelOf(of).checkQueue('nowhere')).rejects.toMatchObject({ code: 404 });
  });

  it('the channel of the consumer is closed with 406: acked twice', async () => {
    const channel = line.channelOf('consumer');
    const closed = new Promise((resolve) => channel.once('error', resolve));
    line.handle = (message) => {
      line.handle = undefined;
      channel.ack(message);
      channel.ack(message);
      line.received.set(String(message.properties.messageId), 1);
      return Promise.resolve('ack');
    };
    expect(await closed).toMatchObject({ code: 406 });
  });

  it('the queue is deleted under its consumer: what was in it is gone, and it is there again at once', async () => {
    await stream.stop();
    await line.nothingLost();
    await management('DELETE', `queues/%2F/${line.queue}`);
  });

  it('the broker is killed and comes back', async () => {
    // RabbitMQ 3.10 has the name of a new queue on disk after 3 s: killed before, it loses the queue.
    await pause(4000);
    await node().kill();
    await node().start();
  });

  it('the broker is frozen until its connections are given up, and goes on', async () => {
    const lost = new Promise((resolve) => line.publishing.once('close', () => resolve(undefined)));
    node().pause();
    try {
      await lost;
    } finally {
      node().resume();
    }
  });
});

describe('a message that is acknowledged too late for the broker', () => {
  /** Looks for late acks each half second. A channel has the limits of the time when it was opened, so another one is. */
  async function consumerTimeout(ms: number): Promise<void> {
    await ctl('eval', 'application:set_env(rabbit, channel_tick_interval, 500).');
    await ctl('eval', `application:set_env(rabbit, consumer_timeout, ${ms}).`);
    await expect(line.channelOf('consumer').checkQueue('nowhere')).rejects.toMatchObject({ code: 404 });
    await line.flows();
  }

  it('costs the channel, is delivered again, and the consumer goes on', async () => {
    await consumerTimeout(1000);
    try {
      const aborted = new Promise<void>((resolve) => {
        line.handle = (_message, lifetime) => {
          line.handle = undefined;
          return new Promise((settle) =>
            lifetime.onEnd(() => {
              settle('keep');
              resolve();
            }),
          );
        };
      });
      const id = await line.send();
      await aborted;
      await eventually(() => line.received.has(id));
    } finally {
      await consumerTimeout(1_800_000);
    }
  });
});

describe('an alarm', () => {
  const ALARMS = [
    ['memory', ['set_vm_memory_high_watermark', 'absolute', '1MB'], ['set_vm_memory_high_watermark', '0.4']],
    ['disk', ['set_disk_free_limit', '1000000000000000'], ['set_disk_free_limit', '50MB']],
  ] as const;

  it.each(ALARMS)('of %s holds senders back: nothing is lost, nothing fills our memory', async (_of, start, end) => {
    const body = Buffer.alloc(100_000, 'x');
    await ctl(...start);
    try {
      await line.send(1000).catch(() => undefined); // a connection is blocked by its first publish
      await eventually(() => line.publishing.blocked);
      const socket = line.socketOf(line.publishing);
      const written = socket.writableLength;
      const answers = await Promise.allSettled(Array.from({ length: 1000 }, () => line.send(500, body)));
      for (const answer of answers) {
        expect(answer).toMatchObject({ status: 'rejected', reason: { code: 'BROKER_UNAVAILABLE', retryable: true } });
      }
      // No message: a heartbeat has 8 bytes (AMQP 0-9-1, 4.2.7).
      expect(socket.writableLength - written).toBeLessThan(100);
      // Some of 100 MB: 64 MiB may wait, the others were told at once.
      const told = answers.map((answer) => String((answer as PromiseRejectedResult).reason));
      expect(told.filter((text) => text.includes('too much waits')).length).toBeGreaterThan(300);
      expect(told.filter((text) => text.includes('within 500 ms')).length).toBeGreaterThan(600);
      // Deliveries, acks and declarations are on other connections and go on.
      expect(await queueDepth(line.admin, line.queue)).toBe(0);
      const waiting = Promise.all(Array.from({ length: 500 }, () => line.send(20_000, body)));
      await ctl(...end);
      await waiting;
    } finally {
      await ctl(...end);
    }
    await line.nothingLost();
  });

  it('keeps no agent out: who logs in empties its queue', async () => {
    const [tax, police] = [makeIdentity('Tax Office'), makeIdentity('Police')];
    const centOps = await startCentOps([tax, police]);
    const chatbot = await startChatbot();
    const server = await startServerNode(testAmqp(cluster.amqp), centOps.url);
    const agents = [await startAgent(tax, server.url, chatbot.url)];
    const send = async () => (await post(agents[0]?.url ?? '', chatMessage(police.id))).status;
    const health = async () => (await (await fetch(`${server.url}/v1/health`)).json()) as unknown;
    expect(await send()).toBe(200);
    const [, start, end] = ALARMS[1];
    await ctl(...start);
    try {
      expect(await send()).not.toBe(200);
      await eventually(async () => expect(await health()).toMatchObject({ parts: { broker: { blocked: true } } }));
      expect(await health()).toMatchObject({ status: 'ok', parts: { broker: { ok: true } } });
      agents.push(await startAgent(police, server.url, chatbot.url));
      await eventually(() => chatbot.received.length === 1);
    } finally {
      await ctl(...end);
      for (const one of [...agents, server]) await one.stop();
      await chatbot.close();
      await centOps.close();
    }
  });
});

describe('a channel that confirms nothing any more', () => {
  it('is replaced after ten seconds in which messages waited in vain; late confirms on it still count', async () => {
    const channel = line.channelOf('publisher');
    const [confirm] = channel.listeners('ack') as [(fields: unknown) => void];
    const confirms: unknown[] = [];
    channel.removeAllListeners('ack').on('ack', (fields) => confirms.push(fields));
    const patient = line.send(30_000);
    await expect(line.send(300)).rejects.toMatchObject({ code: 'BROKER_UNAVAILABLE' });
    expect(line.channelOf('publisher')).toBe(channel);
    await eventually(() => line.send(300), { timeoutMs: 15_000 });
    expect(line.channelOf('publisher')).not.toBe(channel);
    for (const fields of confirms) confirm(fields);
    const id = await patient;
    await eventually(() => line.received.get(id) === 1);
  });

  it('is kept where others are confirmed: one queue without a majority is no reason', async () => {
    const channel = line.channelOf('publisher');
    const publish = channel.publish.bind(channel);
    let swallowed = false;
    channel.publish = (...args: Parameters<typeof publish>) => {
      if (swallowed) return publish(...args);
      swallowed = true;
      return true; // as if its queue never answered
    };
    const late = expect(line.send(500)).rejects.toMatchObject({ code: 'BROKER_UNAVAILABLE' });
    await pause(50); // the other message must be confirmed after the first was written
    await line.send();
    await late;
    expect(line.channelOf('publisher')).toBe(channel);
  });
});
