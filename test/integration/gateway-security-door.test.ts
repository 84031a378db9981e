import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { request, type Server } from 'node:http';
import { io, type Socket } from 'socket.io-client';
import { startCentOps, type CentOps } from '../helpers/centops';
import { startChatbot, type Chatbot } from '../helpers/chatbot';
import { EVENTS, makeDeployedToken, NAMESPACE, openDeployed, sealDeployed } from '../helpers/deployed-agent';
import { eventually } from '../helpers/eventually';
import { makeAgentKeys, makeIdentity, type AgentIdentity } from '../helpers/keys';
import { chatMessage, post, startAgent, startServerNode, type AgentNode, type ServerNode } from '../helpers/mesh';
import { Queues } from '../helpers/queues';
import { RawSocket } from '../helpers/raw-socket';
import { useVhost } from '../helpers/rabbitmq';

const { amqp } = useVhost();

const tax = makeIdentity('Tax Office');
const police = makeIdentity('Police');
const customs = makeIdentity('Customs');

describe('who is not let in', () => {
  const queues = new Queues(amqp);
  const sockets: Socket[] = [];
  let centOps: CentOps;
  let server: ServerNode;

  beforeAll(async () => {
    centOps = await startCentOps([tax, police, customs]);
    server = await startServerNode(amqp, centOps.url, {
      env: { AGENT_LIST_GRACE_MS: '0', CENTOPS_REMOVE_AFTER_MS: '0' },
    });
  });

  afterAll(async () => {
    await server?.stop();
    await centOps?.close();
    await queues.close();
  });

  afterEach(() => sockets.splice(0).forEach((socket) => socket.disconnect()));

  /** `connected`, or why the server refused. */
  async function login(identity: AgentIdentity): Promise<string> {
    const auth = { token: await makeDeployedToken(identity) };
    const options = { forceNew: true, reconnection: false, transports: ['websocket'], auth };
    const socket = io(server.url + NAMESPACE, options);
    sockets.push(socket);
    return new Promise((resolve) => {
      socket.once('connect', () => resolve('connected'));
      socket.once('connect_error', (error) => resolve(error.message));
    });
  }

  it('an agent that CentOps has removed, with a token that was good a moment ago', async () => {
    expect(await login(customs)).toBe('connected');
    const [socket] = sockets as [Socket];
    centOps.agents = [tax, police];
    await server.broker.call('config-sync.sync');
    await eventually(() => !socket.connected);
    expect(await login(customs)).toMatch(/not listed/);
  });

  it('an agent with its key of before', async () => {
    const renewed = { ...police, ...makeAgentKeys() };
    centOps.agents = [tax, renewed];
    await server.broker.call('config-sync.sync');
    expect(await login(police)).toMatch(/signature/);
    expect(await login(renewed)).toBe('connected');
    centOps.agents = [tax, police];
    await server.broker.call('config-sync.sync');
  });

  it('an agent that speaks in the name of another', async () => {
    const socket = await RawSocket.open(server.url, tax);
    const ids = { id: randomUUID(), senderId: police.id, recipientId: police.id };
    const message = { ...ids, type: 'ChatMessage', payload: 'x', timestamp: new Date().toISOString() };
    expect(await socket.emit(message)).toMatchObject({ status: 'error' });
    socket.close();
    expect(await queues.drain(police.id)).toEqual([]);
  });

  it.each(['POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'TRACE', 'OPTIONS'])('%s where only GET is served', async (method) => {
    for (const path of ['/v1/health', '/metrics']) expect(await statusOf(server.url, method, path)).toBe(404);
  });

  it.each([
    '/api/router/routes',
    '/$node/services',
    '/~node/services',
    '/v1/$node/list',
    '/v1/../$node/list',
    '/v1/%2e%2e/$node/list',
    '/v1/..%2f$node%2flist',
    '//metrics/../../etc/passwd',
    '/v1/router.routes',
    '/__proto__',
    '/constructor',
  ])('a request for an action or a file: %s', async (path) => {
    expect(await statusOf(server.url, 'GET', path)).toBe(404);
  });

  it('a request with a header beyond the limit of Node.js, 16 kB', async () => {
    expect(await statusOf(server.url, 'GET', '/v1/health', { 'x-large': 'x'.repeat(20_000) })).toBe(431);
  });

  it('a request that is never finished: Node.js ends it after a minute for the head and five for the whole', () => {
    const { server: http } = server.broker.getLocalService('gateway.io') as unknown as { server: Server };
    expect([http.headersTimeout, http.requestTimeout]).toEqual([60_000, 300_000]);
  });

  /** The path goes out as it is: `fetch` would resolve its dots. */
  async function statusOf(url: string, method: string, path: string, headers = {}): Promise<number | undefined> {
    const { hostname, port } = new URL(url);
    const sent = request({ hostname, port, method, path, headers }).end();
    const [response] = (await once(sent, 'response')) as [{ statusCode?: number; resume(): void }];
    response.resume();
    return response.statusCode;
  }
});

describe('a seal that somebody holds who should not', () => {
  let centOps: CentOps;
  let server: ServerNode;
  let bots: Record<'tax' | 'police' | 'customs', Chatbot>;
  let agents: AgentNode[];

  beforeAll(async () => {
    centOps = await startCentOps([tax, police, customs]);
    const env = { AGENT_LIST_GRACE_MS: '0', MESSAGE_DELIVERY_MAX_TRIES: '1' };
    server = await startServerNode(amqp, centOps.url, { env });
    bots = { tax: await startChatbot(), police: await startChatbot(), customs: await startChatbot() };
    agents = [
      await startAgent(tax, server.url, bots.tax.url),
      await startAgent(customs, server.url, bots.customs.url, { env: { MESSAGE_BINDING: 'require' } }),
    ];
  });

  afterAll(async () => {
    await Promise.all((agents ?? []).map((agent) => agent.stop()));
    await server?.stop();
    await Promise.all([centOps?.close(), ...Object.values(bots ?? {}).map((bot) => bot.close())]);
  });

  /** What the police are sent, in a socket of their own: they are the ones who misuse it. */
  async function captured(): Promise<{ envelope: Record<string, unknown>; socket: Socket }> {
    const auth = { token: await makeDeployedToken(police) };
    const socket = io(server.url + NAMESPACE, { transports: ['websocket'], auth, forceNew: true });
    const arrived = once(socket as unknown as NodeJS.EventEmitter, EVENTS.fromServer) as Promise<
      [Record<string, unknown>, (ack: unknown) => void]
    >;
    expect((await post(agents[0]!.url, chatMessage(police.id))).status).toBe(200);
    const [envelope, ack] = await arrived;
    ack({ status: 'ok' });
    return { envelope, socket };
  }

  /** Sends it in the name of the police, the only name that they have, and hears what becomes of it. */
  async function rejectionOf(socket: Socket, envelope: Record<string, unknown>): Promise<unknown> {
    const queues = new Queues(amqp);
    await queues.drain('validation-failures');
    const message = { ...envelope, senderId: police.id, recipientId: customs.id };
    expect(await socket.timeout(5000).emitWithAck(EVENTS.toServer, message)).toEqual({ status: 'ok' });
    const [failure] = await queues.waitFor('validation-failures', 1);
    await queues.close();
    socket.disconnect();
    return (failure?.body as { errors: { type: string }[] }).errors.map(({ type }) => type);
  }

  it('reaches nobody else as it is', async () => {
    const { envelope, socket } = await captured();
    expect(await rejectionOf(socket, { ...envelope, id: randomUUID() })).toEqual(['DECRYPTION_FAILED']);
    expect(bots.customs.received).toEqual([]);
  });

  it('reaches nobody else when its recipient seals the content again, without the claims that bind it', async () => {
    const { envelope, socket } = await captured();
    const payload = await openDeployed(String(envelope.payload), police.privateKeyPem, tax.publicKeyPem);
    const resealed = await sealDeployed(payload, police.privateKeyPem, customs.publicKeyPem);
    // Signed by the police: it is theirs to say. MESSAGE_BINDING=require wants the claims all the same.
    expect(await rejectionOf(socket, { ...envelope, payload: resealed })).toEqual(['SIGNATURE_VALIDATION_FAILED']);
    expect(bots.customs.received).toEqual([]);
  });
});
