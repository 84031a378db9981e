import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { importPKCS8, SignJWT } from 'jose';
import type { Socket } from 'socket.io';
import type { SocketServerService } from '../../mixins/socket-server.mixin';
import { startCentOps, type CentOps } from '../helpers/centops';
import { startChatbot, type Chatbot, type ChatbotRequest } from '../helpers/chatbot';
import {
  DeployedAgent,
  EVENTS,
  makeDeployedToken,
  NO_ANSWER,
  sealDeployed,
  type DeployedAgentOptions,
  type Envelope,
} from '../helpers/deployed-agent';
import { DeployedServer } from '../helpers/deployed-server';
import { eventually } from '../helpers/eventually';
import { makeAgentKeys, makeIdentity, toAgentRecord, type AgentIdentity } from '../helpers/keys';
import { chatMessage, post, startAgent, startServerNode, type AgentNode, type ServerNode } from '../helpers/mesh';
import { Queues } from '../helpers/queues';
import { useVhost } from '../helpers/rabbitmq';

const { amqp } = useVhost();

const ours = makeIdentity('Ours');
const theirs = makeIdentity('Theirs');
const third = makeIdentity('Third');

const idOf = ({ body }: ChatbotRequest) => (body as { id: string }).id;

/** A message that a deployed agent made, as a server passes it on. */
async function sealedMessage(sender: AgentIdentity, recipient: AgentIdentity, payload: unknown): Promise<Envelope> {
  const ids = { id: randomUUID(), senderId: sender.id, recipientId: recipient.id };
  const jwe = await sealDeployed(payload, sender.privateKeyPem, recipient.publicKeyPem);
  return { ...ids, type: 'ChatMessage', timestamp: new Date().toISOString(), payload: jwe };
}

describe('deployed agents at our server', () => {
  const queues = new Queues(amqp);
  const agents: DeployedAgent[] = [];
  let centOps: CentOps;
  let server: ServerNode;

  beforeAll(async () => {
    centOps = await startCentOps([ours, theirs, third]);
    server = await startServerNode(amqp, centOps.url, { env: { AGENT_LIST_GRACE_MS: '500' } });
  });

  afterAll(async () => {
    await server?.stop();
    await centOps?.close();
    await queues.close();
  });

  afterEach(() => {
    for (const agent of agents.splice(0)) agent.close();
  });

  async function start(identity: AgentIdentity, options: Partial<DeployedAgentOptions> = {}): Promise<DeployedAgent> {
    const agent = await DeployedAgent.start({ url: server.url, identity, ...options });
    agents.push(agent);
    return agent;
  }

  const login = async (...args: Parameters<typeof start>) => (await start(...args)).ready();

  it('begin with long polling, upgrade, and get the list as they want it', async () => {
    const { io } = server.broker.getLocalService('gateway.io') as unknown as SocketServerService;
    const opened = once(io.engine, 'connection') as Promise<[Socket['conn']]>;
    const agent = await start(theirs);
    const [conn] = await opened;
    expect(conn.transport.name).toBe('polling');
    await agent.ready();
    await agent.until(({ transport }) => transport === 'websocket');
    expect(agent.lists).toEqual([[[[ours, theirs, third].map(toAgentRecord)]]]);
    expect(agent.errors).toEqual([]);
    expect([...agent.peers.keys()].sort()).toEqual([ours.id, theirs.id, third.id].sort());
  });

  it('exchange messages with each other', async () => {
    const [one, two] = await Promise.all([login(theirs), login(third)]);
    expect(await one.send(third.id, { question: 1 })).toEqual({ status: 'ok' });
    await two.until(({ messages }) => messages[0]?.answer !== undefined);
    expect(await two.send(theirs.id, { answer: 1 })).toEqual({ status: 'ok' });
    await one.until(({ messages }) => messages[0]?.answer !== undefined);
    const receivedAt = expect.any(String) as unknown;
    const answer = { status: 'ok' };
    expect(two.messages).toEqual([{ envelope: { ...one.sent[0], receivedAt }, opened: { question: 1 }, answer }]);
    expect(one.messages).toEqual([{ envelope: { ...two.sent[0], receivedAt }, opened: { answer: 1 }, answer }]);
  });

  it('exchange messages with an agent of ours', async () => {
    const chatbot = await startChatbot();
    const agent = await startAgent(ours, server.url, chatbot.url);
    const deployed = await login(theirs);
    try {
      const question = chatMessage(theirs.id);
      expect(await post(agent.url, question)).toMatchObject({ status: 200, text: '' });
      await deployed.until(({ messages }) => messages[0]?.answer !== undefined);
      expect(deployed.messages).toMatchObject([
        { envelope: { id: question.id, senderId: ours.id }, opened: question.payload, answer: { status: 'ok' } },
      ]);

      const { payload } = chatMessage(ours.id, 'Come to the station.');
      expect(await deployed.send(ours.id, payload)).toEqual({ status: 'ok' });
      const { id, timestamp } = deployed.sent[0] as Envelope;
      const { body } = await chatbot.waitFor((request) => idOf(request) === id);
      expect(body).toEqual({
        id,
        senderId: theirs.id,
        recipientId: ours.id,
        timestamp,
        type: 'ChatMessage',
        payload,
      });
    } finally {
      await agent.stop();
      await chatbot.close();
    }
  });

  it('get no message before they have read the list, however long messages have waited', async () => {
    const sender = await login(theirs);
    for (let number = 1; number <= 20; number++) await sender.send(third.id, number);
    const recipient = await login(third, { listDelayMs: 200 });
    await recipient.until(({ messages }) => messages.filter(({ answer }) => answer !== undefined).length >= 20);
    expect(recipient.messages.map(({ opened }) => opened)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    expect(recipient.messages.every(({ answer }) => (answer as { status: string }).status === 'ok')).toBe(true);
  });

  it('lose their socket to a second login, which gets what the first had not acknowledged', async () => {
    const sender = await login(theirs);
    // The first one stays away: two that fight for one identity would go on for ever.
    const first = await login(third, { reconnectDelayMs: 60_000 });
    await sender.send(third.id, 'taken');
    await first.until(({ messages }) => messages[0]?.answer !== undefined);
    first.answerWith(NO_ANSWER);
    await sender.send(third.id, 'left');
    await first.until(({ messages }) => messages.length === 2);

    const second = await login(third);
    await first.until(({ disconnects }) => disconnects.length === 1);
    expect(first.disconnects).toEqual(['io server disconnect']);
    await sender.send(third.id, 'new');
    await second.until(({ messages }) => messages.filter(({ answer }) => answer !== undefined).length >= 2);
    second.close();
    expect(await queues.leftAfterConsumer(third.id)).toEqual([]);
    expect(second.messages.map(({ opened }) => opened)).toEqual(['left', 'new']);
    expect(first.messages.map(({ opened }) => opened)).toEqual(['taken', undefined]);
    expect(first.connected).toBe(false);
  });

  describe('with a token', () => {
    const nowS = Math.floor(Date.now() / 1000);
    const HOUR_S = 60 * 60;
    const key = () => importPKCS8(theirs.privateKeyPem, 'RS256');
    const header = { alg: 'RS256', kid: theirs.id };
    const claims = { sub: theirs.id, iat: nowS, exp: nowS + 60, cat: nowS * 1000 };
    const signed = async (change: object, withHeader: { alg: string; kid?: string } = header) =>
      new SignJWT({ ...claims, ...change }).setProtectedHeader(withHeader).sign(await key());

    it('of an hour ago are taken, as they never make a new one', async () => {
      const agent = await login(theirs, { iat: nowS - HOUR_S });
      expect(await agent.send(third.id, 'still here')).toEqual({ status: 'ok' });
    });

    it('come back with it after a loss of the connection', async () => {
      const agent = await login(theirs, { iat: nowS - HOUR_S, reconnectDelayMs: 50 });
      agent.dropConnection();
      await agent.until(({ lists }) => lists.length === 2);
      expect(await agent.send(third.id, 'back again')).toEqual({ status: 'ok' });
      expect(agent.errors).toEqual([]);
    });

    const refused: { name: string; why: RegExp; token: () => Promise<string> }[] = [
      {
        name: 'older than AGENT_TOKEN_MAX_AGE',
        why: /too old/,
        token: () => makeDeployedToken(theirs, nowS - 24 * HOUR_S - 60),
      },
      { name: 'of the future', why: /future/, token: () => makeDeployedToken(theirs, nowS + HOUR_S) },
      {
        name: 'signed by somebody else',
        why: /signature/,
        token: () => makeDeployedToken({ ...theirs, privateKeyPem: makeAgentKeys().privateKeyPem }),
      },
      { name: 'of an agent that is not listed', why: /not listed/, token: () => makeDeployedToken(makeIdentity('x')) },
      { name: 'whose sub is another agent', why: /'sub'/, token: () => signed({ sub: third.id }) },
      { name: 'without exp', why: /'exp'/, token: () => signed({ exp: undefined }) },
      { name: 'without iat', why: /'iat'/, token: () => signed({ iat: undefined }) },
      { name: 'without kid', why: /'kid'/, token: () => signed({}, { alg: 'RS256' }) },
      { name: 'that is not signed at all', why: /signature/, token: () => Promise.resolve(unsigned()) },
      { name: 'that is none', why: /not a JWT/, token: () => Promise.resolve('token') },
      { name: 'that is empty', why: /there is none/, token: () => Promise.resolve('') },
    ];
    const unsigned = () => {
      const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
      return `${part({ alg: 'none', kid: theirs.id })}.${part(claims)}.`;
    };

    it.each(refused)('$name are refused with the reason, again and again, and never get the list', async (entry) => {
      const agent = await start(theirs, { token: await entry.token(), reconnectDelayMs: 20 });
      await agent.until(({ connectErrors }) => connectErrors.length >= 3);
      for (const { message } of agent.connectErrors) expect(message).toMatch(entry.why);
      expect(agent).toMatchObject({ connects: 0, lists: [], messages: [] });
    });
  });
});

describe('an agent of ours at a deployed server', () => {
  let deployed: DeployedServer;
  let chatbot: Chatbot;
  let agent: AgentNode;

  beforeAll(async () => {
    // Its own wait is 2 s; a shorter one makes it repeat sooner.
    deployed = await DeployedServer.start({ agents: [ours, theirs], ackTimeoutMs: 500 });
    chatbot = await startChatbot();
    agent = await startAgent(ours, deployed.url, chatbot.url);
  });

  afterAll(async () => {
    await agent?.stop();
    await deployed?.close();
    await chatbot?.close();
  });

  const sendingsOf = ({ id }: Envelope) => deployed.sendings.filter(({ envelope }) => envelope.id === id);
  const postsOf = ({ id }: Envelope) => chatbot.received.filter((request) => idOf(request) === id);

  it('logs in and exchanges messages with a deployed agent, both ways', async () => {
    const peer = await (await DeployedAgent.start({ url: deployed.url, identity: theirs })).ready();
    try {
      const question = chatMessage(theirs.id);
      expect(await post(agent.url, question)).toMatchObject({ status: 200, text: '' });
      await peer.until(({ messages }) => messages[0]?.answer !== undefined);
      expect(peer.messages).toMatchObject([{ opened: question.payload, answer: { status: 'ok' } }]);

      const { payload } = chatMessage(ours.id, 'Come to the station.');
      expect(await peer.send(ours.id, payload)).toEqual({ status: 'ok' });
      const sent = peer.sent[0] as Envelope;
      await chatbot.waitFor((request) => idOf(request) === sent.id);
      await deployed.until(() => sendingsOf(sent)[0]?.answer !== undefined);
      expect(sendingsOf(sent)).toMatchObject([{ attempt: 1, answer: [{ status: 'ok' }] }]);
    } finally {
      peer.close();
    }
  });

  it('hands a message that is sent again while the chatbot still works on it to the chatbot once', async () => {
    const message = await sealedMessage(theirs, ours, chatMessage(ours.id).payload);
    chatbot.answerNext({ delayMs: 4000 });
    deployed.route(message);
    await deployed.until(() => {
      const sendings = sendingsOf(message);
      return sendings.length >= 3 && sendings.every(({ answer }) => answer !== undefined);
    });
    for (const { answer } of sendingsOf(message)) expect(answer).toEqual([{ status: 'ok' }]);
    expect(postsOf(message)).toHaveLength(1);
  });

  it('answers a message that it had before without asking the chatbot again', async () => {
    const message = await sealedMessage(theirs, ours, chatMessage(ours.id).payload);
    for (const times of [1, 2, 3]) {
      deployed.route(message);
      await deployed.until(() => sendingsOf(message)[times - 1]?.answer !== undefined);
    }
    for (const { answer } of sendingsOf(message)) expect(answer).toEqual([{ status: 'ok' }]);
    expect(postsOf(message)).toHaveLength(1);
  });

  it('tries a message again that its chatbot had not taken, and answers every copy of it with the outcome', async () => {
    const message = await sealedMessage(theirs, ours, chatMessage(ours.id).payload);
    chatbot.answerNext({ status: 500 }, { status: 200 });
    for (const _copy of [1, 2]) deployed.route(message);
    await deployed.until(() => [0, 1].every((copy) => sendingsOf(message)[copy]?.answer !== undefined));
    // More than two on a busy machine: the server sends a copy again whose answer is late.
    for (const { answer } of sendingsOf(message)) expect(answer ?? [{ status: 'ok' }]).toEqual([{ status: 'ok' }]);
    expect(postsOf(message)).toHaveLength(2);
  });

  it.each([
    [
      'DECRYPTION_FAILED',
      () => sealedMessage(theirs, theirs, {}).then((message) => ({ ...message, recipientId: ours.id })),
    ],
    ['SIGNATURE_VALIDATION_FAILED', () => sealedMessage({ ...theirs, ...makeAgentKeys() }, ours, {})],
    ['INVALID_TIMESTAMP', () => sealedMessage(theirs, ours, {}).then((message) => ({ ...message, timestamp: 'now' }))],
  ])('answers %s in the form of the contract', async (type, make) => {
    const message = await make();
    deployed.route(message);
    await deployed.until(() => sendingsOf(message)[0]?.answer !== undefined);
    const errors = [{ type, message: expect.any(String) as unknown }];
    expect(sendingsOf(message)[0]?.answer).toEqual([{ status: 'error', errors }]);
  });

  it.each([[null], ['text'], [1], [[]], [{}]])('answers %j with errors, never with null', async (junk) => {
    const answer = new Promise((resolve) => {
      deployed.emitTo(ours.id, EVENTS.fromServer, junk, (...args: unknown[]) => resolve(args));
    });
    expect(await answer).toEqual([{ status: 'error', errors: expect.any(Array) as unknown }]);
  });

  it('makes a new token for every login, and comes back with its state after a loss of the connection', async () => {
    const logins = () => deployed.logins.filter(({ agentId }) => agentId === ours.id);
    const before = logins();
    deployed.dropConnection(ours.id);
    await deployed.until(() => logins().length > before.length);
    const login = logins().at(-1);
    expect(login).toMatchObject({ recovered: true, transport: 'websocket' });
    expect(login?.header).toEqual({ alg: 'RS256', kid: ours.id });
    expect(Object.keys(login?.claims ?? {}).sort()).toEqual(['cat', 'exp', 'iat', 'sub']);
    // The other claims carry whole seconds.
    expect(login?.claims.cat).toBeGreaterThan(before.at(-1)?.claims.cat as number);

    // The lists of the recovered session end in an offset.
    const message = await sealedMessage(theirs, ours, chatMessage(ours.id).payload);
    deployed.route(message);
    await chatbot.waitFor((request) => idOf(request) === message.id);
  });

  it.each([
    ['a list in a list', (list: unknown[]) => [[list]]],
    ['a list in a list, and an offset', (list: unknown[]) => [[list], 'offset']],
    ['a bare list', (list: unknown[]) => [list]],
    ['a bare list, and an offset', (list: unknown[]) => [list, 'offset']],
  ])('takes %s', async (_name, form) => {
    const newcomer = makeIdentity('Newcomer');
    const list = [ours, theirs, newcomer].map(toAgentRecord);
    const { status } = await post(agent.url, chatMessage(newcomer.id));
    expect(status).toBe(404);
    deployed.emitTo(ours.id, EVENTS.fullList, ...form(list));
    await eventually(async () => (await post(agent.url, chatMessage(newcomer.id))).status !== 404);
    deployed.emitTo(ours.id, EVENTS.partialList, ...form([{ ...toAgentRecord(newcomer), deleted: true }]));
    await eventually(async () => (await post(agent.url, chatMessage(newcomer.id))).status === 404);
    expect(await post(agent.url, chatMessage(theirs.id))).toMatchObject({ status: 200 });
  });

  it.each([[null], ['text'], [{}], [17], [[null]], [[[{ id: 7 }]]]])(
    'keeps what it knows when the list is %j',
    async (junk) => {
      deployed.emitTo(ours.id, EVENTS.fullList, junk);
      deployed.emitTo(ours.id, EVENTS.partialList, junk);
      // What is sent behind it tells that it was read.
      const message = await sealedMessage(theirs, ours, chatMessage(ours.id).payload);
      deployed.route(message);
      await chatbot.waitFor((request) => idOf(request) === message.id);
      expect(await post(agent.url, chatMessage(theirs.id))).toMatchObject({ status: 200 });
    },
  );

  it('tells its chatbot what the server said against a message', async () => {
    deployed.answerWith({ status: 'error', error: 'Recipient agent with ID x not found' });
    const refusal = await post(agent.url, chatMessage(theirs.id));
    expect(refusal).toMatchObject({ status: 502, json: { code: 'SERVER_REFUSED' } });
    expect(refusal.json?.message).toContain('Recipient agent with ID x not found');
    deployed.answerNormally();
    expect(await post(agent.url, chatMessage(theirs.id))).toMatchObject({ status: 200 });
  });
});
