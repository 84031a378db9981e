import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { io, type Socket } from 'socket.io-client';
import WebSocket from 'ws';
import type { SocketServerService } from '../../mixins/socket-server.mixin';
import { startCentOps, type CentOps } from '../helpers/centops';
import { EVENTS, makeDeployedToken, NAMESPACE } from '../helpers/deployed-agent';
import { eventually } from '../helpers/eventually';
import { makeIdentity, type AgentIdentity } from '../helpers/keys';
import { startServerNode, type ServerNode } from '../helpers/mesh';
import { Queues } from '../helpers/queues';
import { useVhost } from '../helpers/rabbitmq';

const { amqp } = useVhost();

const tax = makeIdentity('Tax Office');
const police = makeIdentity('Police');
const library = makeIdentity('Library');

interface Pausable {
  pause(): void;
}

const envelope = (from: AgentIdentity, changes: object = {}) => ({
  id: randomUUID(),
  type: 'ChatMessage',
  senderId: from.id,
  recipientId: police.id,
  timestamp: new Date().toISOString(),
  payload: 'sealed',
  ...changes,
});

const ENGINE = '/socket.io/?EIO=4';
/** Types of Engine.IO's protocol. */
const [PING, PONG] = ['2', '3'];
const RATE = 50;
const metricOf = async (url: string, series: string) => {
  const text = await (await fetch(`${url}/metrics`)).text();
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `));
  return Number(line?.split(' ').at(-1) ?? 0);
};
const MAX_BYTES = 10_000;

describe('what one agent may ask of a server', () => {
  let centOps: CentOps;
  let server: ServerNode;
  const queues = new Queues(amqp);
  const sockets: Socket[] = [];

  beforeAll(async () => {
    centOps = await startCentOps([tax, police, library]);
    const env = {
      AGENT_RATE_LIMIT: String(RATE),
      AGENT_MAX_IN_FLIGHT: '10',
      MESSAGE_MAX_BYTES: String(MAX_BYTES),
      VALIDATION_FAILURES_RATE_LIMIT: '1',
    };
    server = await startServerNode(amqp, centOps.url, { env });
  });

  afterEach(() => sockets.splice(0).forEach((socket) => socket.disconnect()));

  afterAll(async () => {
    await queues.close();
    await server?.stop();
    await centOps?.close();
  });

  async function login(identity: AgentIdentity, extensions?: unknown, transport = 'websocket'): Promise<Socket> {
    const auth = { token: await makeDeployedToken(identity), extensions };
    const socket = io(server.url + NAMESPACE, { transports: [transport], auth, forceNew: true, reconnection: false });
    sockets.push(socket);
    await once(socket as never, 'connect', { signal: AbortSignal.timeout(5000) });
    return socket;
  }

  const emit = (socket: Socket, message: unknown) => socket.timeout(5000).emitWithAck(EVENTS.toServer, message);
  const metric = (series: string) => metricOf(server.url, series);

  it('is limited in messages a second: beyond a burst it is told so, and nothing is filed', async () => {
    const filed = (await queues.look('validation-failures'))?.ready;
    const socket = await login(tax, ['retryable']);
    const acks = (await Promise.all(Array.from({ length: 4 * RATE }, () => emit(socket, envelope(tax))))) as {
      status: string;
      error?: string;
      retryable?: boolean;
    }[];
    const refused = acks.filter(({ status }) => status === 'error');
    const accepted = acks.length - refused.length;
    expect(accepted).toBeGreaterThanOrEqual(2 * RATE);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]).toEqual({
      status: 'error',
      error: `Too many messages: at most ${RATE} a second, send it again later`,
      retryable: true,
    });
    expect(await queues.waitFor(police.id, accepted)).toHaveLength(accepted);
    expect((await queues.look('validation-failures'))?.ready).toBe(filed);
    expect(await metric('dmr_messages_refused_total{reason="RATE_LIMIT"}')).toBe(refused.length);
    // It is a rate: after a while the agent may speak again.
    await eventually(async () => ((await emit(socket, envelope(tax))) as { status: string }).status === 'ok');
    await queues.waitFor(police.id, 1);
  });

  it('is slowed, not refused, while too much of it waits for the broker', async () => {
    const before = await metric('dmr_agents_slowed_total');
    const socket = await login(library);
    const acks = await Promise.all(Array.from({ length: 60 }, () => emit(socket, envelope(library))));
    expect(acks).toEqual(acks.map(() => ({ status: 'ok' })));
    expect(await metric('dmr_agents_slowed_total')).toBeGreaterThan(before);
    await queues.waitFor(police.id, 60);
  });

  it('names the limit to a message that is too large, and keeps the connection', async () => {
    const socket = await login(police, ['retryable']);
    const large = envelope(police, { recipientId: tax.id, payload: 'x'.repeat(MAX_BYTES) });
    const error = `The message is too large: at most ${MAX_BYTES} bytes`;
    expect(await emit(socket, large)).toEqual({ status: 'error', error, retryable: false });
    expect(await emit(socket, envelope(police, { recipientId: tax.id }))).toEqual({ status: 'ok' });
    const [record] = await queues.waitFor('validation-failures', 1);
    expect(record?.body).toMatchObject({ id: large.id, errors: [{ type: 'INVALID_FORMAT', message: error }] });
    await queues.waitFor(tax.id, 1);
  });

  it('is kept in validation-failures at a rate, and without a message that is too large', async () => {
    const socket = await login(library, ['retryable']);
    const dropped = await metric('dmr_validation_failures_dropped_total');
    const wrong = () => ({ text: 'x'.repeat(70_000) });
    const acks = [];
    for (let count = 0; count < 15; count++) acks.push(await emit(socket, wrong()));
    expect(acks).toEqual(acks.map(() => ({ status: 'error', error: 'Validation failed', retryable: false })));
    expect(await metric('dmr_validation_failures_dropped_total')).toBeGreaterThan(dropped);
    const records = await queues.drain('validation-failures');
    expect(records.length).toBeGreaterThanOrEqual(10);
    expect(records.length).toBeLessThan(15);
    for (const { body } of records) {
      expect((body as { message: string }).message).toMatch(/^left out: the record had \d+ bytes, at most 65536/);
    }
  });

  it('gives a peer that announced no extension the acks it knows', async () => {
    const socket = await login(library);
    expect(await emit(socket, 42)).toEqual({ status: 'error', error: 'Message validation failed' });
  });
});

describe('what a server does about peers that say nothing', () => {
  let centOps: CentOps;
  let server: ServerNode;
  const queues = new Queues(amqp);

  beforeAll(async () => {
    centOps = await startCentOps([tax, police, library]);
    const env = {
      WEB_SOCKET_LOGIN_TIMEOUT_MS: '500',
      WEB_SOCKET_MAX_STRANGERS: '5',
      WEB_SOCKET_PING_INTERVAL_MS: '300',
      WEB_SOCKET_PING_TIMEOUT_MS: '2000',
    };
    server = await startServerNode(amqp, centOps.url, { env });
  });

  afterAll(async () => {
    await queues.close();
    await server?.stop();
    await centOps?.close();
  });

  const login = async (identity: AgentIdentity) => {
    const auth = { token: await makeDeployedToken(identity) };
    const socket = io(server.url + NAMESPACE, { transports: ['websocket'], auth, forceNew: true, reconnection: false });
    await once(socket as never, 'connect', { signal: AbortSignal.timeout(5000) });
    return socket;
  };

  it('closes connections that do not log in, and takes only so many of them', async () => {
    const { port } = new URL(server.url);
    const upgrade = [
      'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1',
      'Host: localhost',
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==',
    ];
    const strangers = Array.from({ length: 12 }, () => {
      const socket = connect(Number(port), '127.0.0.1');
      const stranger = { socket, text: '' };
      socket.on('data', (data) => (stranger.text += data.toString('latin1')));
      socket.write(`${upgrade.join('\r\n')}\r\n\r\n`);
      return stranger;
    });
    await eventually(() => strangers.every(({ text }) => text !== ''));
    const taken = strangers.filter(({ text }) => text.startsWith('HTTP/1.1 101'));
    expect(taken).toHaveLength(5);
    // A close frame without a reason (RFC 6455 section 5.5.1): no heartbeat was missed yet.
    await eventually(() => taken.every(({ text }) => text.endsWith('\x88\x00')));
    strangers.forEach(({ socket }) => socket.destroy());
    (await login(tax)).disconnect();
  });

  const MANY = 30;
  /** More than the buffers of the system take. */
  const putMuch = async () => {
    for (let n = 0; n < MANY; n++) await queues.put(police.id, { ...envelope(tax), payload: 'x'.repeat(900_000) });
  };
  const sentDown = () => {
    const labels = `event="${EVENTS.fromServer}",namespace="${NAMESPACE}"`;
    return metricOf(server.url, `dmr_socket_events_sent_total{${labels}}`);
  };
  const consumersOf = async ({ id }: AgentIdentity) => (await queues.look(id))?.consumers;
  /** A login without the client, which would miss the server's pings. */
  const loginRaw = async (identity: AgentIdentity) => {
    const ws = new WebSocket(`${server.url.replace('http', 'ws')}${ENGINE}&transport=websocket`);
    await once(ws, 'open');
    ws.send(await packetToLogIn(identity));
    await eventually(async () => (await consumersOf(identity)) === 1);
    return ws;
  };
  const packetToLogIn = async (identity: AgentIdentity) =>
    `40${NAMESPACE},${JSON.stringify({ token: await makeDeployedToken(identity) })}`;

  it('cuts an agent off that reads nothing, and sends the answer to no heartbeat that is due', async () => {
    const ws = await loginRaw(police);
    ws.pause();
    // A pong that nobody asked for puts the next ping off, so no heartbeat is ever missed.
    const pongs = setInterval(() => ws.send(PONG), 50);
    try {
      await putMuch();
      await eventually(async () => (await consumersOf(police)) === 0, { timeoutMs: 15_000 });
    } finally {
      clearInterval(pongs);
      ws.terminate();
    }
    await queues.drain(police.id);
  });

  it('cuts off who asks for messages by long polling and does not read the answer', async () => {
    const { connections } = server.broker.getLocalService('gateway.io') as unknown as SocketServerService;
    const opened = await (await fetch(`${server.url}${ENGINE}&transport=polling`)).text();
    const { sid } = JSON.parse(opened.slice(1)) as { sid: string };
    const url = `${ENGINE}&transport=polling&sid=${sid}`;
    const say = (body: string) => fetch(`${server.url}${url}`, { method: 'POST', body });
    await say(await packetToLogIn(police));
    while ((await consumersOf(police)) !== 1) {
      const heard = await (await fetch(`${server.url}${url}`)).text();
      if (heard.split('\x1e').includes(PING)) await say(PONG);
    }
    const before = new Set(connections);
    const poll = connect(Number(new URL(server.url).port), '127.0.0.1').pause();
    poll.on('error', () => undefined);
    const unread = () =>
      [...connections].filter((connection) => !before.has(connection) && connection.writableLength > 0);
    const askWhenMuchWaits = async () => {
      const sent = await sentDown();
      await putMuch();
      await eventually(async () => (await sentDown()) >= sent + MANY); // more where a try was repeated meanwhile
      poll.write(`GET ${url} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      await eventually(() => unread().length === 1);
    };
    let isOver = false;
    // Nothing is asked for meanwhile, not even the pings: a pong puts each of them off, however long all of it takes.
    const stay = async () => {
      while (!isOver) await Promise.all([say(PONG), wait(50)]);
    };
    await Promise.all([askWhenMuchWaits().finally(() => (isOver = true)), stay()]);
    await eventually(() => unread().length === 0, { timeoutMs: 15_000 });
    poll.destroy();
    await eventually(async () => (await consumersOf(police)) === 0, { timeoutMs: 15_000 });
    await queues.drain(police.id);
  });

  it('ends a connection that an agent goes on using after it left', async () => {
    const ws = await loginRaw(police);
    ws.send(`41${NAMESPACE},`);
    await once(ws, 'close', { signal: AbortSignal.timeout(10_000) });
  });

  it('drops an agent that answers no heartbeat', async () => {
    const socket = await login(library);
    await eventually(async () => (await queues.look(library.id))?.consumers === 1);
    // It reads nothing any more, as a machine that lost its power.
    const { ws } = socket.io.engine.transport as unknown as { ws: { _socket: Pausable; terminate(): void } };
    ws._socket.pause();
    await eventually(async () => (await queues.look(library.id))?.consumers === 0);
    // Nor does such a peer hold up a node that stops.
    const before = Date.now();
    await server.stop();
    expect(Date.now() - before).toBeLessThan(10_000);
    ws.terminate();
  });
});
