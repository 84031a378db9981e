import { randomUUID } from 'node:crypto';
import { startCentOps } from '../helpers/centops';
import { startChatbot } from '../helpers/chatbot';
import {
  DeployedAgent,
  type DeployedAgentOptions,
  type Envelope,
  EVENTS,
  makeDeployedToken,
  NO_ANSWER,
  openDeployed,
  sealDeployed,
} from '../helpers/deployed-agent';
import { DeployedServer, type DeployedServerOptions } from '../helpers/deployed-server';
import { type AgentIdentity, makeAgentKeys, makeIdentity } from '../helpers/keys';

const alpha = makeIdentity('alpha');
const beta = makeIdentity('beta');
const question = { chat: { id: randomUUID() }, messages: [{ content: 'Kas see töötab?' }] };

const open: { close(): void | Promise<void> }[] = [];

async function startServer(options: Partial<DeployedServerOptions> = {}): Promise<DeployedServer> {
  const server = await DeployedServer.start({ agents: [alpha, beta], ...options });
  open.unshift(server);
  return server;
}

async function startAgent(
  server: DeployedServer,
  identity: AgentIdentity,
  options: Partial<DeployedAgentOptions> = {},
): Promise<DeployedAgent> {
  const agent = await DeployedAgent.start({ url: server.url, identity, reconnectDelayMs: 50, ...options });
  open.unshift(agent);
  return agent;
}

afterEach(async () => {
  for (const resource of open.splice(0)) await resource.close();
});

describe('login and lists', () => {
  it('begins with polling, upgrades, and is sent the list inside one more array', async () => {
    const server = await startServer();
    const agent = await (await startAgent(server, alpha)).ready();
    expect(server.logins[0]).toMatchObject({ agentId: alpha.id, transport: 'polling' });
    expect(agent.lists[0]?.[0]).toMatchObject([
      [{ id: alpha.id }, { id: beta.id, authenticationCertificate: beta.publicKeyPem }],
    ]);
    expect(typeof agent.lists[0]?.[1]).toBe('string');
    expect([...agent.peers.keys()]).toEqual([alpha.id, beta.id]);
    await agent.until(() => agent.transport === 'websocket');
  });

  it('puts nothing into the token but sub, iat, exp and cat', async () => {
    const server = await startServer();
    await (await startAgent(server, alpha)).ready();
    const { header, claims } = server.logins[0]!;
    expect(header).toEqual({ alg: 'RS256', kid: alpha.id });
    expect(claims).toEqual({ sub: alpha.id, iat: claims.iat, exp: claims.iat! + 60, cat: claims.iat! * 1000 });
  });

  it('takes over partial lists', async () => {
    const server = await startServer();
    const agent = await (await startAgent(server, alpha)).ready();
    const gamma = makeIdentity('gamma');
    server.addAgents(gamma);
    await agent.until(() => agent.peers.has(gamma.id));
    server.removeAgents(beta.id);
    await agent.until(() => !agent.peers.has(beta.id));
    expect(agent.errors).toEqual([]);
  });

  it('breaks on a list in a single array', async () => {
    const server = await startServer();
    const agent = await (await startAgent(server, alpha)).ready();
    server.emitTo(alpha.id, EVENTS.fullList, [{ id: beta.id, authenticationCertificate: beta.publicKeyPem }]);
    await agent.until(() => agent.errors.length > 0);
    expect(agent.errors[0]?.message).toBe('data[0] is not a list');
  });

  it.each([
    ['an expired token', () => makeDeployedToken(alpha, Math.floor(Date.now() / 1000) - 61)],
    ['a token signed by another key', () => makeDeployedToken({ ...alpha, privateKeyPem: beta.privateKeyPem })],
    ['a token of an unknown agent', () => makeDeployedToken(makeIdentity('nobody'))],
    ['no token at all', () => Promise.resolve('nonsense')],
  ])('connects with %s, is disconnected, and tries again', async (_name, token) => {
    const server = await startServer();
    const agent = await startAgent(server, alpha, { token: await token() });
    await agent.until(() => agent.connects > 1 && agent.disconnects.length > 1);
    expect(agent.disconnects[0]).toBe('io server disconnect');
    expect(server.logins).toEqual([]);
    expect(agent.lists).toEqual([]);
  });

  it('comes back after a cut with the token it has', async () => {
    const server = await startServer();
    const agent = await (await startAgent(server, alpha)).ready();
    agent.dropConnection();
    await server.until(() => server.logins.length === 2);
    expect(server.logins[1]?.claims).toEqual(server.logins[0]?.claims);
  });

  it('is restored by connection state recovery when the server cut the line', async () => {
    const server = await startServer();
    const agent = await (await startAgent(server, alpha)).ready();
    server.dropConnection(alpha.id);
    await server.until(() => server.logins.length === 2);
    expect(server.logins[1]?.recovered).toBe(true);
    await agent.until(() => agent.recovered);
  });
});

describe('messages', () => {
  async function startBoth(
    serverOptions: Partial<DeployedServerOptions> = {},
    betaOptions: Partial<DeployedAgentOptions> = {},
  ) {
    const server = await startServer(serverOptions);
    const a = await (await startAgent(server, alpha)).ready();
    const b = await (await startAgent(server, beta, betaOptions)).ready();
    return { server, a, b };
  }

  async function answerOf(server: DeployedServer, index = 0): Promise<unknown> {
    await server.until(() => server.sendings[index]?.answer !== undefined);
    return server.sendings[index]?.answer?.[0];
  }

  it('travel both ways and are acknowledged after the handler', async () => {
    const handled: unknown[] = [];
    const { server, a, b } = await startBoth({}, { onMessage: (opened) => void handled.push(opened) });
    await expect(a.send(beta.id, question)).resolves.toEqual({ status: 'ok' });
    await expect(answerOf(server)).resolves.toEqual({ status: 'ok' });
    expect(handled).toEqual([question]);
    await expect(b.send(alpha.id, { reply: 1 })).resolves.toEqual({ status: 'ok' });
    await a.until(() => a.messages[0]?.opened !== undefined);
    expect(a.messages[0]).toMatchObject({ envelope: { senderId: beta.id }, opened: { reply: 1 } });
    expect(typeof a.messages[0]?.envelope.receivedAt).toBe('string');
  });

  it('pass fields nobody knows and wait for a recipient that is away', async () => {
    const server = await startServer();
    const a = await (await startAgent(server, alpha)).ready();
    await a.send(beta.id, question, { trace: { x: [1] } });
    const b = await (await startAgent(server, beta)).ready();
    await b.until(() => b.messages.length === 1);
    expect(b.messages[0]?.envelope.trace).toEqual({ x: [1] });
    b.dropConnection();
    await server.until(() => server.logins.length === 3);
    expect(server.sendings).toHaveLength(1);
  });

  it.each<[string, () => Promise<Partial<Envelope>>, Partial<DeployedAgentOptions>, string]>([
    [
      'a seal for somebody else',
      async () => ({ payload: await sealDeployed({}, alpha.privateKeyPem, makeAgentKeys().publicKeyPem) }),
      {},
      'DECRYPTION_FAILED',
    ],
    [
      'a seal by somebody else',
      async () => ({ payload: await sealDeployed({}, makeAgentKeys().privateKeyPem, beta.publicKeyPem) }),
      {},
      'SIGNATURE_VALIDATION_FAILED',
    ],
    [
      'a chatbot that is down',
      () => Promise.resolve({}),
      { onMessage: () => Promise.reject(new Error('down')) },
      'DELIVERY_FAILED',
    ],
    ['a message that overtakes the list', () => Promise.resolve({}), { listDelayMs: 500 }, 'DECRYPTION_FAILED'],
  ])('%s is answered with its type', async (_name, overrides, betaOptions, type) => {
    const server = await startServer();
    const a = await (await startAgent(server, alpha)).ready();
    const b = await startAgent(server, beta, betaOptions);
    await server.until(() => server.online.length === 2);
    if (betaOptions.listDelayMs === undefined) await b.ready(); // without the list no seal can be opened
    await a.send(beta.id, question, await overrides());
    await expect(answerOf(server)).resolves.toMatchObject({ status: 'error', errors: [{ type }] });
  });

  it('are answered with whatever the test says', async () => {
    const { server, a, b } = await startBoth();
    b.answerWith(null);
    await a.send(beta.id, question);
    await expect(answerOf(server)).resolves.toBeNull();
    b.answerNormally();
    await a.send(beta.id, question);
    await expect(answerOf(server, 1)).resolves.toEqual({ status: 'ok' });
  });

  it('go out again, unchanged, 2 s after an agent kept silent; nothing is dropped as a duplicate', async () => {
    const { server, a, b } = await startBoth();
    b.answerWith(NO_ANSWER);
    await a.send(beta.id, question);
    await b.until(() => b.messages.length === 1);
    const firstAt = Date.now();
    b.answerNormally();
    await b.until(() => b.messages.length === 2);
    expect(Date.now() - firstAt).toBeGreaterThan(1900);
    expect(b.messages[1]?.envelope).toEqual(b.messages[0]?.envelope);
    await expect(answerOf(server, 1)).resolves.toEqual({ status: 'ok' });
    expect(server.sendings.map(({ attempt, timedOut }) => [attempt, timedOut])).toEqual([
      [1, true],
      [2, undefined],
    ]);
  });

  it('may be acknowledged late', async () => {
    let letGo = () => {};
    const busy = new Promise<void>((resolve) => (letGo = resolve));
    const { server, a } = await startBoth({ ackTimeoutMs: 50, maxTries: 1 }, { onMessage: () => busy });
    await a.send(beta.id, question);
    await server.until(() => server.sendings.length === 1);
    // Longer than the server's wait, which is what makes the ack late.
    await new Promise((resolve) => setTimeout(resolve, 150));
    letGo();
    await expect(answerOf(server)).resolves.toEqual({ status: 'ok' });
    expect(server.sendings).toHaveLength(1);
    expect(server.sendings[0]?.timedOut).toBe(true);
  });

  it('are refused by the server with one error string', async () => {
    const { server, a } = await startBoth();
    await expect(a.emitRaw('text')).resolves.toEqual({ status: 'error', error: 'Message validation failed' });
    await expect(a.send(beta.id, question, { id: '1', type: 'x' })).resolves.toEqual({
      status: 'error',
      error: 'Validation failed',
    });
    const nobody = randomUUID();
    const unknown = a.send(nobody, question, { payload: 'sealed' });
    await expect(unknown).resolves.toEqual({ status: 'error', error: `Recipient agent with ID ${nobody} not found` });
    expect(server.refusals.map(({ errorTypes }) => errorTypes)).toEqual([
      ['UNKNOWN'],
      ['INVALID_FORMAT', 'INVALID_FORMAT'],
      ['INVALID_RECIPIENT_ID'],
    ]);
    expect(server.sendings).toEqual([]);
  });

  it('fail at the sender when the server keeps silent or the connection is gone', async () => {
    const { server, a } = await startBoth();
    server.answerWith(undefined);
    await expect(a.send(beta.id, question)).rejects.toThrow('timed out');
    a.close();
    await expect(a.send(beta.id, question)).rejects.toThrow('not connected');
  });
});

describe('seals', () => {
  it('open only with both keys', async () => {
    const jwe = await sealDeployed(question, alpha.privateKeyPem, beta.publicKeyPem);
    await expect(openDeployed(jwe, beta.privateKeyPem, alpha.publicKeyPem)).resolves.toEqual(question);
    await expect(openDeployed(jwe, alpha.privateKeyPem, alpha.publicKeyPem)).rejects.toMatchObject({
      type: 'DECRYPTION_FAILED',
    });
    await expect(openDeployed(jwe, beta.privateKeyPem, beta.publicKeyPem)).rejects.toMatchObject({
      type: 'SIGNATURE_VALIDATION_FAILED',
    });
  });
});

describe('chatbot', () => {
  it('writes down what is posted and answers as told', async () => {
    const chatbot = await startChatbot();
    open.unshift(chatbot);
    const post = (body: unknown) =>
      fetch(chatbot.url, { method: 'POST', body: JSON.stringify(body), signal: AbortSignal.timeout(2000) });
    const second = chatbot.waitFor(({ body }) => (body as { n: number }).n === 2);
    chatbot.answerNext({ status: 503 }, 'hang', 'close');
    expect((await post({ n: 1 })).status).toBe(503);
    await expect(post({ n: 2 })).rejects.toThrow('timeout');
    await expect(post({ n: 3 })).rejects.toThrow('fetch failed');
    expect((await post({ n: 4 })).status).toBe(200);
    chatbot.answerWith({ status: 202, delayMs: 50, body: 'later' });
    await expect((await post({ n: 5 })).text()).resolves.toBe('later');
    expect(await second).toMatchObject({ method: 'POST', body: { n: 2 } });
    expect(chatbot.received).toHaveLength(5);
  });
});

describe('CentOps', () => {
  async function start(agents: AgentIdentity[]) {
    const centOps = await startCentOps(agents);
    open.unshift(centOps);
    const authorization = Buffer.from('key:secret').toString('base64');
    const get = (url: string, headers: Record<string, string> = {}) =>
      fetch(url, { headers, signal: AbortSignal.timeout(2000) });
    const json = async (url: string) => (await (await get(url, { authorization })).json()) as { response: unknown };
    return { centOps, get, json };
  }

  it('serves the flat shape to anybody', async () => {
    const { centOps, json } = await start([alpha]);
    const { response } = await json(centOps.url);
    expect(response).toMatchObject([{ id: alpha.id, name: 'alpha', authentication_certificate: alpha.publicKeyPem }]);
  });

  it('serves pages to those who show the key without the word Basic', async () => {
    const { centOps, get, json } = await start([alpha, beta, makeIdentity('gamma')]);
    expect((await get(`${centOps.pagedUrl}?page=1`)).status).toBe(401);
    const { response } = await json(`${centOps.pagedUrl}?page=2&pageSize=50`);
    expect(response).toMatchObject({ items: [{ name: 'gamma' }], page: 2, pageSize: 2, totalPages: 2 });
    expect(centOps.requests).toEqual([
      { shape: 'paged', page: 1, authorized: false },
      { shape: 'paged', page: 2, authorized: true },
    ]);
  });

  it('fails as told, until it recovers', async () => {
    const { centOps, get, json } = await start([alpha, beta]);
    centOps.failWith({ kind: 'status', status: 503 });
    expect((await get(centOps.url)).status).toBe(503);
    centOps.failWith({ kind: 'invalid-json' });
    await expect(json(centOps.url)).rejects.toThrow('JSON');
    centOps.failWith({ kind: 'empty' });
    await expect(json(centOps.url)).resolves.toEqual({ response: [] });
    centOps.failWith({ kind: 'half-valid' });
    const { response } = await json(centOps.url);
    expect(response).toHaveLength(5);
    expect((response as Record<string, unknown>[])[1]).not.toHaveProperty('authentication_certificate');
    centOps.failWith({ kind: 'hang' });
    await expect(get(centOps.url)).rejects.toThrow('timeout');
    centOps.failWith({ kind: 'status', status: 500 }, 2);
    await expect(json(`${centOps.pagedUrl}?page=1`)).resolves.toHaveProperty('response.totalPages', 1);
    centOps.failWith({ kind: 'status', status: 503 });
    centOps.recover();
    await expect(json(centOps.url)).resolves.toHaveProperty('response.length', 2);
  });
});
