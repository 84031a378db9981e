import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { ChannelModel, ConfirmChannel } from 'amqplib';
import { queueDepth, withChannel } from '../../lib/amqp/admin';
import { closing } from '../../lib/amqp/closing';
import { AmqpConnection } from '../../lib/amqp/connection';
import { Publisher } from '../../lib/amqp/publisher';
import { dlqName } from '../../lib/amqp/topology';
import { startCentOps, type CentOps } from '../helpers/centops';
import { startChatbot, type Chatbot } from '../helpers/chatbot';
import { DeployedAgent, sealDeployed, type Envelope } from '../helpers/deployed-agent';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { startAgent, startServerNode, untilHealthy, type AgentNode, type ServerNode } from '../helpers/mesh';
import { Queues } from '../helpers/queues';
import { useVhost } from '../helpers/rabbitmq';

const { amqp, management } = useVhost();

/** Three of the router and the one of the mesh. */
const CONNECTIONS = 4;
const BACK_WITHIN_MS = 10_000;

describe('the loss of every broker connection while messages flow', () => {
  const identities = [makeIdentity('Sender A'), makeIdentity('Sender B')];
  const police = makeIdentity('Police, deployed');
  const tax = makeIdentity('Tax Office, ours');
  const queues = new Queues(amqp);
  let centOps: CentOps;
  let server: ServerNode;
  let chatbot: Chatbot;
  let ours: AgentNode;
  let deployed: DeployedAgent;
  let senders: DeployedAgent[];

  /** What a sender was told about each of its messages; an Error where it was told nothing. */
  const told = new Map<string, unknown>();
  const unhandled: unknown[] = [];
  const note = (error: unknown) => void unhandled.push(error);

  beforeAll(async () => {
    process.on('unhandledRejection', note);
    centOps = await startCentOps([...identities, police, tax]);
    // Shorter than the wait before a reconnect, so that senders do feel the loss.
    server = await startServerNode(amqp, centOps.url, { env: { CONFIRM_TIMEOUT_MS: '100' } });
    chatbot = await startChatbot();
    // Slow enough for messages to be on their way at any moment.
    chatbot.answerWith({ delayMs: 50 });
    ours = await startAgent(tax, server.url, chatbot.url);
    deployed = await (await DeployedAgent.start({ url: server.url, identity: police })).ready();
    const start = (identity: (typeof identities)[0]) =>
      DeployedAgent.start({ url: server.url, identity, ackTimeoutMs: 5000 });
    senders = await Promise.all(identities.map(async (identity) => (await start(identity)).ready()));
  });

  afterAll(async () => {
    for (const agent of [deployed, ...(senders ?? [])]) agent?.close();
    await ours?.stop();
    await server?.stop();
    await chatbot?.close();
    await centOps?.close();
    await queues.close();
    process.off('unhandledRejection', note);
  });

  /** Every sender sends to both recipients in turn, each message after the answer to the one before. */
  function startTraffic(): { stop: () => Promise<void> } {
    let stopped = false;
    const send = async (sender: DeployedAgent, privateKeyPem: string) => {
      const seal = (publicKeyPem: string) => sealDeployed({ from: sender.id }, privateKeyPem, publicKeyPem);
      const recipients = [
        { id: police.id, payload: await seal(police.publicKeyPem) },
        { id: tax.id, payload: await seal(tax.publicKeyPem) },
      ];
      while (!stopped) {
        for (const { id: recipientId, payload } of recipients) {
          const ids = { id: randomUUID(), senderId: sender.id, recipientId };
          const envelope: Envelope = { ...ids, type: 'ChatMessage', timestamp: new Date().toISOString(), payload };
          told.set(envelope.id, await sender.emitRaw(envelope).catch((error: unknown) => error));
        }
        // Leaves the one thread that all of them share some air.
        await pause(10);
      }
    };
    const running = senders.map((sender, index) => send(sender, identities[index]?.privateKeyPem ?? ''));
    return {
      stop: async () => {
        stopped = true;
        await Promise.all(running);
      },
    };
  }

  /** Asks for the health again and again. */
  function watchHealth(): { statuses: Set<number>; stop: () => Promise<void> } {
    const statuses = new Set<number>();
    let stopped = false;
    const watch = async () => {
      while (!stopped) {
        const response = await fetch(`${server.url}/v1/health`);
        await response.body?.cancel();
        statuses.add(response.status);
        // The shortest wait before a reconnect is more than ten times as long.
        await pause(10);
      }
    };
    const running = watch();
    return {
      statuses,
      stop: async () => {
        stopped = true;
        await running;
      },
    };
  }

  const accepted = () => [...told].filter(([, ack]) => isOk(ack)).map(([id]) => id);
  const arrived = () =>
    new Set([
      ...deployed.messages.map(({ envelope }) => envelope.id),
      ...chatbot.received.map(({ body }) => (body as Envelope).id),
    ]);

  /** Connections die in every stage of their opening. */
  async function closeForSeconds(): Promise<void> {
    let rounds = 0;
    const began = Date.now();
    const lasts = (ms: number) => Date.now() - began < ms;
    while (lasts(3000) || (rounds <= 10 && lasts(15_000))) {
      // RabbitMQ answers 500 when one of them ends while it is being closed.
      const closed = management.request('DELETE', `connections/username/${amqp.vhost}`);
      await closed.then(() => (rounds += 1)).catch(() => undefined);
      // Sometimes before, sometimes after the next step of an opening.
      await pause(Math.random() * 30);
    }
    expect(rounds).toBeGreaterThan(10);
  }

  it.each([
    ['once', () => management.closeConnections(CONNECTIONS)],
    ['again and again, as soon as they are back', closeForSeconds],
  ])('%s: is mended unattended', async (_name, closeAll) => {
    const traffic = startTraffic();
    const health = watchHealth();
    try {
      const before = accepted().length;
      await eventually(() => accepted().length > before + 50);

      await closeAll();
      const back = { timeoutMs: BACK_WITHIN_MS };
      await eventually(() => health.statuses.has(503));
      for (const { id } of [police, tax]) {
        await eventually(async () => (await queues.look(id))?.consumers === 1, back);
      }
      const after = accepted().length;
      await eventually(() => accepted().length > after + 50, back);
      await untilHealthy(server.url);
      expect(await management.connections()).toHaveLength(CONNECTIONS + 1); // and the one of this test
    } finally {
      await queues.close();
      await traffic.stop();
      await health.stop();
    }
    expect([...health.statuses].sort()).toEqual([200, 503]);
  });

  it('loses no message that a sender was told is accepted', async () => {
    await eventually(
      () => {
        const there = arrived();
        expect(accepted().filter((id) => !there.has(id)).length).toBe(0);
      },
      { timeoutMs: 20_000 },
    );
    expect(accepted().length).toBeGreaterThan(200);
  });

  it('is told to senders as an error: none is left without an answer', () => {
    const others = [...told.values()].filter((ack) => !isOk(ack));
    expect(others.length).toBeGreaterThan(0);
    for (const ack of others) expect(ack).toEqual({ status: 'error', error: expect.stringMatching(/./) as unknown });
  });

  it('hands no message to the chatbot of an agent of ours twice', () => {
    const ids = chatbot.received.map(({ body }) => (body as Envelope).id);
    expect(ids).toHaveLength(new Set(ids).size);
  });

  it('drops no agent, leaves nothing behind in a queue and throws nothing', async () => {
    for (const agent of [deployed, ...senders]) expect(agent).toMatchObject({ connects: 1, disconnects: [] });
    deployed.close();
    expect(await queues.leftAfterConsumer(police.id)).toHaveLength(0);
    for (const { id } of [police, tax]) expect(await queues.drain(dlqName(id))).toHaveLength(0);
    expect(unhandled).toEqual([]);
  });
});

describe('a connection that is lost at the wrong moment', () => {
  const nothing = () => undefined;
  const log = { error: nothing, warn: nothing, info: nothing, debug: nothing };
  const connection = new AmqpConnection({ ...amqp, reconnectMaxMs: 100 }, 'test', log);

  afterAll(() => connection.stop());

  /** As a cut cable would. */
  const lose = (model: ChannelModel) =>
    (model.connection as unknown as { stream: Duplex }).stream.destroy(new Error('lost'));

  it('just opened, before anybody listened, comes back all the same', async () => {
    const opened: ChannelModel[] = [];
    connection.on('open', (model) => opened.push(model));
    connection.once('open', (model) => {
      model.removeAllListeners('close');
      lose(model);
    });
    connection.start();
    await eventually(() => opened.length === 2);
    await connection.channel((model) => model.createChannel());
  });

  it('while a channel is opened, leaves no dead channel in use', async () => {
    const opening = connection.channel(async (model) => {
      const channel = await model.createChannel();
      lose(model);
      await once(channel, 'close');
      return channel;
    });
    await expect(opening).rejects.toMatchObject({ code: 'BROKER_UNAVAILABLE', retryable: true });
    await connection.whenOpen(5000);
  });

  it('without the publisher hearing of it, costs one more attempt and no message', async () => {
    const publisher = new Publisher(connection, log);
    const publication = { queue: 'lost-and-found', body: Buffer.from('{}'), messageId: 'one' };
    await withChannel(connection, (channel) => channel.assertQueue(publication.queue, { durable: true }));
    await publisher.publish(publication, 5000);
    (publisher as unknown as { channel: ConfirmChannel }).channel.removeAllListeners('close');
    lose(await connection.whenOpen(5000));
    await once(connection, 'open');
    await publisher.publish({ ...publication, messageId: 'two' }, 5000);
    await expect(queueDepth(connection, publication.queue)).resolves.toBe(2);
  });

  it('while a channel is being closed, lets that end', async () => {
    let closed: Promise<void> | undefined;
    await connection.channel(async (model) => {
      const channel = await model.createChannel();
      closed = closing(channel);
      lose(model);
      return channel;
    });
    await closed;
    await connection.whenOpen(5000);
  });

  it('while it is being closed, lets that end', async () => {
    const model = await connection.whenOpen(5000);
    const closed = connection.stop();
    lose(model);
    await closed;
  });
});

function isOk(ack: unknown): boolean {
  return (ack as { status?: unknown } | null)?.status === 'ok';
}
