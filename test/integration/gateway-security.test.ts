import { createHmac } from 'node:crypto';
import { importPKCS8, SignJWT } from 'jose';
import { io, type Socket } from 'socket.io-client';
import { startCentOps, type CentOps } from '../helpers/centops';
import { DeployedAgent, EVENTS, NAMESPACE } from '../helpers/deployed-agent';
import { makeIdentity, type AgentIdentity } from '../helpers/keys';
import { startServerNode, type ServerNode } from '../helpers/mesh';
import { useVhost } from '../helpers/rabbitmq';

const { amqp } = useVhost();

const tax = makeIdentity('Tax Office');
const police = makeIdentity('Police');
const stranger = makeIdentity('Stranger');

interface TokenParts {
  kid?: string | undefined;
  sub?: string | undefined;
  iat?: number | undefined;
  exp?: number | undefined;
  key?: AgentIdentity;
}

async function makeToken(parts: TokenParts = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const { kid, sub, iat, exp, key } = { kid: tax.id, sub: tax.id, iat: now, exp: now + 60, key: tax, ...parts };
  const claims = Object.fromEntries(Object.entries({ sub, iat, exp }).filter(([, value]) => value !== undefined));
  return new SignJWT(claims)
    .setProtectedHeader(kid === undefined ? { alg: 'RS256' } : { alg: 'RS256', kid })
    .sign(await importPKCS8(key.privateKeyPem, 'RS256'));
}

function unsigned(header: object): string {
  const now = Math.floor(Date.now() / 1000);
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${encode({ kid: tax.id, ...header })}.${encode({ sub: tax.id, iat: now, exp: now + 60 })}`;
}

const signedWithPublicKey = () => {
  const content = unsigned({ alg: 'HS256' });
  return `${content}.${createHmac('sha256', tax.publicKeyPem).update(content).digest('base64url')}`;
};

describe('the door of the server', () => {
  let centOps: CentOps;
  let server: ServerNode;
  const sockets: Socket[] = [];

  beforeAll(async () => {
    centOps = await startCentOps([tax, police]);
    server = await startServerNode(amqp, centOps.url);
  });

  afterAll(async () => {
    await server?.stop();
    await centOps?.close();
  });

  afterEach(() => sockets.splice(0).forEach((socket) => socket.disconnect()));

  function connect(namespace: string, options: Parameters<typeof io>[1] = {}): Socket {
    const socket = io(`${server.url}${namespace}`, {
      forceNew: true,
      reconnection: false,
      transports: ['websocket'],
      ...options,
    });
    sockets.push(socket);
    return socket;
  }

  /** `connected`, or why the server refused. */
  function outcome(socket: Socket): Promise<string> {
    return new Promise((resolve) => {
      socket.once('connect', () => resolve('connected'));
      socket.once('connect_error', (error) => resolve(error.message));
    });
  }

  const now = Math.floor(Date.now() / 1000);

  it.each<[string, () => unknown, RegExp]>([
    ['no token', () => undefined, /there is none/],
    ['a number', () => 42, /there is none/],
    ['no JWT', () => 'a.b.c', /not a JWT/],
    ['no kid', () => makeToken({ kid: undefined }), /'kid'/],
    [
      'an agent that CentOps does not list',
      () => makeToken({ kid: stranger.id, sub: stranger.id, key: stranger }),
      /not listed/,
    ],
    ['a signature by another key', () => makeToken({ key: police }), /signature/],
    ['no signature at all (alg none)', () => `${unsigned({ alg: 'none' })}.`, /signature/],
    ['the public key taken for a shared secret (HS256)', signedWithPublicKey, /signature/],
    ["another agent's sub", () => makeToken({ sub: police.id }), /'sub'/],
    ['no sub', () => makeToken({ sub: undefined }), /'sub'/],
    ['no exp', () => makeToken({ exp: undefined }), /'exp'/],
    ['no iat', () => makeToken({ iat: undefined }), /'iat'/],
    ['an iat in the future', () => makeToken({ iat: now + 3600, exp: now + 3700 }), /future/],
    ['an iat beyond AGENT_TOKEN_MAX_AGE', () => makeToken({ iat: now - 86_500, exp: now - 86_440 }), /too old/],
  ])('refuses %s with a connect_error that says why', async (_what, token, why) => {
    expect(await outcome(connect(NAMESPACE, { auth: { token: await token() } }))).toMatch(why);
  });

  it('takes a token of an hour ago: deployed agents make one at their start and no other', async () => {
    const token = await makeToken({ iat: now - 3600, exp: now - 3540 });
    expect(await outcome(connect(NAMESPACE, { auth: { token } }))).toBe('connected');
  });

  it('takes the token from the Authorization header when the handshake carries none', async () => {
    const extraHeaders = { authorization: `Bearer ${await makeToken()}` };
    expect(await outcome(connect(NAMESPACE, { extraHeaders }))).toBe('connected');
  });

  it.each(['/', '/v1', '/admin'])('answers nothing in the namespace %s', async (namespace) => {
    const token = await makeToken();
    expect(await outcome(connect(namespace, { auth: { token } }))).toMatch(/namespace/i);
  });

  it('lets no socket call an action, neither known nor unknown to it', async () => {
    const agent = await DeployedAgent.start({ url: server.url, identity: police });
    await agent.ready();
    const socket = connect(NAMESPACE, { auth: { token: await makeToken() } });
    await outcome(socket);
    for (const action of ['$node.options', '$node.list', 'router.routes', 'gateway.io.drop', 'gateway.io.compare']) {
      await expect(socket.timeout(200).emitWithAck('call', action, {})).rejects.toThrow(/timed out/);
    }
    agent.close();
  });

  it('gives no options of a node away, not even inside the mesh', async () => {
    await expect(server.broker.call('$node.options')).rejects.toThrow(/not found/);
  });

  it("has no word of a password in what the mesh's nodes tell each other about themselves", () => {
    const info = JSON.stringify(
      (server.broker as unknown as { registry: { getLocalNodeInfo(): object } }).registry.getLocalNodeInfo(),
    );
    expect(info).toContain('gateway.io');
    expect(info).not.toContain(amqp.password);
  });

  it.each([
    '/v1/agents',
    '/gateway.io/sessions',
    '/gateway.io/compare',
    '/api/list-aliases',
    '/router/routes',
    '/api/router/routes',
    '/~node/options',
  ])('offers no action over HTTP: %s is 404', async (path) => {
    expect((await fetch(`${server.url}${path}`)).status).toBe(404);
  });

  it('sends the agent list to nobody who did not log in', async () => {
    const socket = connect(NAMESPACE, { auth: { token: 'x' } });
    let lists = 0;
    socket.on(EVENTS.fullList, () => lists++);
    await outcome(socket);
    expect(lists).toBe(0);
  });
});
