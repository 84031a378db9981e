import { createPublicKey, generateKeyPairSync, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, type Socket } from 'socket.io';
import type { AgentConfig } from '../../../lib/config/types';
import { KeyRing } from '../../../lib/crypto/key-ring';
import { verifyToken } from '../../../lib/crypto/token';
import { RetryableError } from '../../../lib/errors';
import type { Envelope } from '../../../lib/protocol/envelope';
import type { AgentAck } from '../../../lib/protocol/events';
import { LoginKeys } from '../../../lib/uplink/login-keys';
import { type MessageListener, UplinkClient } from '../../../lib/uplink/uplink-client';
import { countUplink } from '../../../lib/uplink/uplink-metrics';
import { EVENTS, NAMESPACE } from '../../helpers/deployed-agent';
import { DeployedServer, type DeployedServerOptions } from '../../helpers/deployed-server';
import type { UplinkLostError } from '../../../lib/uplink/uplink-lost';
import { eventually } from '../../helpers/eventually';
import { type AgentIdentity, makeIdentity, toAgentRecord } from '../../helpers/keys';
import { countingMetrics, RecordingLog } from '../fakes';

const OK: AgentAck = { status: 'ok' };

const [alpha, beta] = ['alpha', 'beta'].map(makeIdentity) as [AgentIdentity, AgentIdentity];
const keys = new LoginKeys(new KeyRing(alpha.privateKeyPem), () => undefined);
const records = [alpha, beta].map(toAgentRecord);

let log: RecordingLog;
const open: (() => void | Promise<void>)[] = [];

beforeEach(() => void (log = new RecordingLog()));
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

async function startServer(options: Partial<DeployedServerOptions> = {}): Promise<DeployedServer> {
  const server = await DeployedServer.start({ agents: [alpha, beta], ...options });
  open.unshift(() => server.close());
  return server;
}

/** A client of alpha's, and every list it was told of. */
function makeClient(url: string, onMessage: MessageListener = () => Promise.resolve(OK)) {
  const uplink = { urls: [url], namespace: NAMESPACE, reconnectDelayMs: 20, reconnectDelayMaxMs: 40 };
  const client = new UplinkClient({ agentId: alpha.id, uplink }, keys, onMessage, log);
  const lists: unknown[] = [];
  client.on('fullList', (list) => lists.push(list));
  client.on('partialList', (list) => lists.push(list));
  open.unshift(() => client.stop());
  return { client, lists };
}

async function connect(server: DeployedServer, onMessage?: MessageListener) {
  const made = makeClient(server.url, onMessage);
  made.client.start();
  await eventually(() => made.lists.length > 0, { everyMs: 5 });
  return made;
}

const envelope = (change: object = {}): Envelope & Record<string, unknown> => ({
  id: randomUUID(),
  type: 'ChatMessage',
  senderId: alpha.id,
  recipientId: beta.id,
  timestamp: new Date().toISOString(),
  payload: 'sealed',
  ...change,
});

const toAlpha = () => envelope({ senderId: beta.id, recipientId: alpha.id });

async function failureOf(sending: Promise<unknown>): Promise<string> {
  const error: unknown = await sending.catch((thrown: unknown) => thrown);
  if (!(error instanceof RetryableError)) throw new Error(`no failure: ${String(error)}`);
  return error.code;
}

describe('the login', () => {
  it('goes over WebSocket alone, with a token of ours', async () => {
    const server = await startServer();
    const { client } = await connect(server);
    expect(client.connected).toBe(true);
    expect(server.logins).toHaveLength(1);
    const { agentId, transport, auth, header, claims } = server.logins[0]!;
    expect({ agentId, transport }).toEqual({ agentId: alpha.id, transport: 'websocket' });
    expect(header).toEqual({ alg: 'RS256', kid: alpha.id });
    expect(Object.keys(claims).sort()).toEqual(['cat', 'exp', 'iat', 'sub']);
    await expect(verifyToken(auth.token, () => createPublicKey(alpha.publicKeyPem), 60_000)).resolves.toBe(alpha.id);
  });

  it('has a fresh token at each attempt', async () => {
    const server = await startServer();
    await connect(server);
    server.dropConnection(alpha.id);
    await server.until(() => server.logins.length === 2);
    const [first, second] = server.logins.map(({ claims }) => claims.cat as number) as [number, number];
    expect(second).toBeGreaterThan(first);
  });

  it('is tried again when the server lets it in and then drops it, until it is taken', async () => {
    const server = await startServer({ agents: [beta] });
    const { client, lists } = makeClient(server.url);
    client.start();
    await server.until(() => server.refusedTokens.length >= 2);
    expect(server.logins).toEqual([]);
    server.addAgents(alpha);
    await server.until(() => server.online.includes(alpha.id));
    await eventually(() => lists.length > 0);
  });

  it('is tried again when the server refuses it, until it is taken, and complained of once', async () => {
    const tokens: unknown[] = [];
    const url = await serve((socket, next) => {
      tokens.push(socket.handshake.auth.token);
      next(tokens.length < 3 ? new Error('Token refused: too old') : undefined);
    });
    const { client } = makeClient(url);
    const failed = jest.fn();
    client.on('failed', failed);
    client.start();
    await eventually(() => client.connected);
    expect(new Set(tokens).size).toBe(3);
    expect(failed).toHaveBeenCalledTimes(2);
    expect(log.at('warn')).toEqual([expect.stringContaining('Token refused: too old')]);
  });

  it('is tried again for as long as there is no server', async () => {
    const first = await startServer();
    const { port } = first;
    await first.close();
    const { client } = makeClient(`http://127.0.0.1:${port}`);
    const failed = jest.fn();
    client.on('failed', failed);
    client.start();
    await eventually(() => failed.mock.calls.length >= 2, { everyMs: 5 });
    const second = await startServer({ port });
    await second.until(() => second.online.includes(alpha.id));
  });

  it('is tried with an empty token when none can be made, and again', async () => {
    const tokens: unknown[] = [];
    const url = await serve((socket, next) => {
      tokens.push(socket.handshake.auth.token);
      next(new Error('there is none'));
    });
    const uplink = { urls: [url], namespace: NAMESPACE, reconnectDelayMs: 5, reconnectDelayMaxMs: 5 };
    const config = { agentId: alpha.id, uplink } as AgentConfig;
    const signsNothing = generateKeyPairSync('ed25519').privateKey;
    const client = new UplinkClient(
      config,
      { next: () => signsNothing, refused: () => undefined, accepted: () => undefined },
      () => Promise.resolve(OK),
      log,
    );
    open.unshift(() => client.stop());
    client.start();
    await eventually(() => tokens.length >= 2, { everyMs: 5 });
    expect(new Set(tokens)).toEqual(new Set(['']));
    expect(log.at('error')[0]).toContain('no login token');
  });
});

describe('a connection that is lost', () => {
  it.each([
    ['cut', (server: DeployedServer) => server.dropConnection(alpha.id)],
    ['closed by the server', (server: DeployedServer) => server.removeAgents(alpha.id)],
  ])('comes back by itself when it was %s', async (_how, lose) => {
    const server = await startServer();
    const { client } = await connect(server);
    const lost = once(client, 'disconnected');
    lose(server);
    const [upMs] = (await lost) as [number];
    expect(upMs).toBeGreaterThanOrEqual(0);
    server.addAgents(alpha);
    await server.until(() => server.logins.length === 2);
    await eventually(() => client.connected);
  });

  it('stays away once the client was stopped', async () => {
    const server = await startServer();
    const { client } = await connect(server);
    await client.stop();
    await server.until(() => server.online.length === 0);
    expect(client.connected).toBe(false);
    // Three times the longest wait between two attempts: it really does not come back.
    await new Promise((resolve) => setTimeout(resolve, 120));
    expect(server.logins).toHaveLength(1);
  });

  it('is not sought any more once the client was stopped between two attempts', async () => {
    const server = await startServer({ agents: [] });
    const { client } = makeClient(server.url);
    const refused = once(client, 'disconnected');
    client.start();
    await refused;
    await client.stop();
    // As above.
    await new Promise((resolve) => setTimeout(resolve, 120));
    expect(server.refusedTokens).toHaveLength(1);
  });
});

describe('the lists', () => {
  it('are read out of their array; the offset behind them is ignored', async () => {
    const { lists } = await connect(await startServer());
    expect(lists).toEqual([records]);
  });

  it('are read as bare lists, too', async () => {
    const server = await startServer();
    const { lists } = await connect(server);
    server.emitTo(alpha.id, EVENTS.fullList, records, 'offset');
    server.emitTo(alpha.id, EVENTS.partialList, [{ ...records[1], deleted: true }]);
    await eventually(() => lists.length === 3, { everyMs: 5 });
    expect(lists.slice(1)).toEqual([records, [{ ...records[1], deleted: true }]]);
  });

  it('are ignored when they are none: nobody is forgotten for it', async () => {
    const server = await startServer();
    const { lists } = await connect(server);
    for (const event of [EVENTS.fullList, EVENTS.partialList]) {
      for (const data of [null, 'text', {}, [['no agent']]]) server.emitTo(alpha.id, event, data);
    }
    server.emitTo(alpha.id, EVENTS.fullList, [records]);
    await eventually(() => lists.length > 1, { everyMs: 5 });
    expect(lists).toEqual([records, records]);
    expect(log.at('warn')).toEqual(Array(8).fill(expect.stringContaining('no agent list')));
  });

  it('come in parts as well', async () => {
    const server = await startServer();
    const { lists } = await connect(server);
    const gamma = makeIdentity('gamma');
    server.addAgents(gamma);
    await eventually(() => lists.length === 2, { everyMs: 5 });
    expect(lists[1]).toEqual([{ ...toAgentRecord(gamma), deleted: false }]);
  });

  it('come again with each login', async () => {
    const server = await startServer();
    const { lists } = await connect(server);
    server.dropConnection(alpha.id);
    await eventually(() => lists.length === 2);
    expect(lists[1]).toEqual(records);
  });
});

describe('a message up', () => {
  it('arrives as it is, and the ack comes back as it is', async () => {
    const server = await startServer();
    const { client } = await connect(server);
    const sent = envelope({ extra: ['õ'] });
    await expect(client.send(sent, 1000)).resolves.toEqual({ status: 'ok' });
    expect(server.received).toEqual([sent]);
    const stranger = randomUUID();
    const error = `Recipient agent with ID ${stranger} not found`;
    const refused = client.send(envelope({ recipientId: stranger }), 1000);
    await expect(refused).resolves.toEqual({ status: 'error', error });
  });

  it('fails with NO_ANSWER when none comes in time', async () => {
    const server = await startServer();
    const { client } = await connect(server);
    server.answerWith(undefined);
    await expect(failureOf(client.send(envelope(), 30))).resolves.toBe('NO_ANSWER');
    expect(server.received).toHaveLength(1);
  });

  it('fails with UPLINK_LOST as soon as the connection is lost', async () => {
    const server = await startServer();
    const { client } = await connect(server);
    server.answerWith(undefined);
    const sending = failureOf(client.send(envelope(), 600_000));
    await server.until(() => server.received.length === 1);
    server.dropConnection(alpha.id);
    await expect(sending).resolves.toBe('UPLINK_LOST');
  });

  it.each([
    ['alone', 1, [true]],
    ['beside another', 2, [false, false]],
  ])('says whether what the connection was lost with was under way %s', async (_how, count, expected) => {
    const server = await startServer();
    const { client } = await connect(server);
    await client.send(envelope(), 1000); // what was answered before is nobody's company
    server.answerWith(undefined);
    const sending = Array.from({ length: count }, () =>
      client.send(envelope(), 600_000).then(
        () => undefined,
        (error: unknown) => (error as UplinkLostError).alone,
      ),
    );
    await server.until(() => server.received.length === 1 + count);
    server.dropConnection(alpha.id);
    expect(await Promise.all(sending)).toEqual(expected);
  });

  it('fails with UPLINK_DOWN without a connection, and is not sent later', async () => {
    const server = await startServer();
    const { client } = makeClient(server.url);
    await expect(failureOf(client.send(envelope(), 1000))).resolves.toBe('UPLINK_DOWN');
    client.start();
    await expect(failureOf(client.send(envelope(), 1000))).resolves.toBe('UPLINK_DOWN');
    await server.until(() => server.online.length === 1);
    await eventually(() => client.connected);
    await client.send(envelope(), 1000);
    expect(server.received).toHaveLength(1);
    await client.stop();
    await expect(failureOf(client.send(envelope(), 1000))).resolves.toBe('UPLINK_DOWN');
  });
});

describe('a message down', () => {
  it('is answered with what the listener says, as the one argument of the ack', async () => {
    const error: AgentAck = { status: 'error', errors: [{ type: 'DECRYPTION_FAILED', message: 'why' }] };
    const answers = [OK, error];
    const messages: unknown[] = [];
    const server = await startServer();
    await connect(server, (message) => {
      messages.push(message);
      return Promise.resolve(answers[messages.length - 1]!);
    });
    const [first, second] = [toAlpha(), toAlpha()];
    server.route(first);
    await server.until(() => server.sendings[0]?.answer !== undefined);
    server.route(second);
    await server.until(() => server.sendings[1]?.answer !== undefined);
    expect(server.sendings.map(({ answer }) => answer)).toEqual([[OK], [error]]);
    expect(messages).toMatchObject([first, second]);
  });

  it('is answered once the listener is through, and until then not at all: never with null', async () => {
    let finish: (ack: AgentAck) => void = () => undefined;
    const server = await startServer({ ackTimeoutMs: 20, maxTries: 1 });
    await connect(server, () => new Promise((resolve) => (finish = resolve)));
    server.route(toAlpha());
    await eventually(() => server.sendings[0]?.timedOut === true, { everyMs: 5 });
    expect(server.sendings[0]?.answer).toBeUndefined();
    finish(OK);
    await server.until(() => server.sendings[0]?.answer !== undefined);
    expect(server.sendings[0]?.answer).toEqual([OK]);
  });

  it('may come without an ack to call', async () => {
    const messages: unknown[] = [];
    const server = await startServer();
    const { client } = await connect(server, (message) => {
      messages.push(message);
      return Promise.resolve(OK);
    });
    server.emitTo(alpha.id, EVENTS.fromServer, { id: 'x' });
    server.emitTo(alpha.id, EVENTS.fromServer, null, 'no function');
    await eventually(() => messages.length === 2, { everyMs: 5 });
    expect(messages).toEqual([{ id: 'x' }, null]);
    await expect(client.send(envelope(), 1000)).resolves.toEqual(OK);
  });
});

describe('countUplink', () => {
  it('shows the state under both names, and counts lists, losses and failures', async () => {
    const server = await startServer();
    const { client } = makeClient(server.url);
    const { metrics, counted, observed } = countingMetrics();
    const state = () => [counted.dmr_agent_socket_connection_active, counted.dmr_socket_connection_active];
    countUplink(client, NAMESPACE, metrics);
    expect(state()).toEqual([0, 0]);
    client.start();
    await eventually(() => client.connected);
    expect(state()).toEqual([1, 1]);
    client.emit('fullList', []);
    client.emit('partialList', []);
    client.emit('failed', new Error('timeout'));
    client.emit('disconnected', 2500);
    expect(state()).toEqual([0, 0]);
    expect(counted).toMatchObject({
      [`dmr_socket_events_received_total{event="${EVENTS.partialList}",namespace="${NAMESPACE}"}`]: 1,
      dmr_socket_errors_total: 1,
    });
    expect(observed.dmr_socket_connection_duration_seconds).toEqual([2.5]);
  });
});

/** A server of ours as far as the login goes: its middleware lets a socket in or refuses it. */
async function serve(middleware: (socket: Socket, next: (error?: Error) => void) => void): Promise<string> {
  const http = createServer().listen(0, '127.0.0.1');
  const io = new Server(http);
  io.of(NAMESPACE).use(middleware);
  await once(http, 'listening');
  open.unshift(() => io.close());
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
}
