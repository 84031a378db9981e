import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { WebSocketServer, type WebSocket } from 'ws';
import { anyText, anyValue, hostileName, mutantsOf } from '../property/arbitraries';
import { mapParallel } from '../../lib/parallel';
import { startChatbot, type Chatbot } from '../helpers/chatbot';
import { EVENTS, NAMESPACE, sealDeployed } from '../helpers/deployed-agent';
import { eventually } from '../helpers/eventually';
import { frame, request, sample, SEED, throwBytes } from '../helpers/garbage';
import { makeIdentity, toAgentRecord } from '../helpers/keys';
import { agentEnv, NodeProcess } from '../helpers/processes';

const tax = makeIdentity('Tax Office');
const police = makeIdentity('Police');

jest.setTimeout(60_000);

/** A server that speaks Socket.IO up to the login, and then says what a test tells it to say. */
class OddServer {
  private readonly http: Server = createServer();
  private readonly sockets = new WebSocketServer({ server: this.http });
  private connected: WebSocket | undefined;
  logins = 0;

  /** In place of the handshake and of the answer to the login, once. */
  opening: string | undefined;
  welcome: string | undefined;

  async listen(): Promise<string> {
    this.sockets.on('connection', (socket) => this.greet(socket));
    this.http.listen(0, '127.0.0.1');
    await once(this.http, 'listening');
    return `http://127.0.0.1:${(this.http.address() as AddressInfo).port}`;
  }

  send(text: string): void {
    this.connected?.send(text);
  }

  emit(event: string, ...args: unknown[]): void {
    this.send(`42${NAMESPACE},${JSON.stringify([event, ...args])}`);
  }

  /** Ends the connection behind what was sent. */
  hangUp(): void {
    this.connected?.close();
  }

  drop(): void {
    this.connected?.terminate();
  }

  async close(): Promise<void> {
    this.sockets.close();
    this.drop();
    this.http.close();
    this.http.closeAllConnections();
    await once(this.http, 'close');
  }

  private greet(socket: WebSocket): void {
    const handshake = { sid: 's', upgrades: [], pingInterval: 25_000, pingTimeout: 20_000, maxPayload: 1e6 };
    socket.on('error', () => undefined); // the agent may go at any time
    socket.send(this.opening ?? `0${JSON.stringify(handshake)}`);
    this.opening = undefined;
    socket.on('message', (data: Buffer) => {
      if (!data.toString().startsWith('40')) return;
      socket.send(this.welcome ?? `40${NAMESPACE},{"sid":"x"}`);
      if (this.welcome === undefined) {
        this.connected = socket;
        this.logins += 1;
        this.emit(EVENTS.fullList, [[tax, police].map(toAgentRecord)]);
      }
      this.welcome = undefined;
    });
  }
}

describe(`an agent whose server has gone mad (DMR_TEST_SEED=${SEED})`, () => {
  const server = new OddServer();
  let chatbot: Chatbot;
  let agent: NodeProcess;
  let posted = 0;

  beforeAll(async () => {
    chatbot = await startChatbot();
    const env = { WEBSOCKET_RECONNECTION_DELAY: '20', WEBSOCKET_RECONNECTION_DELAY_MAX: '50' };
    agent = await NodeProcess.start('agent', ['agent'], {
      ...agentEnv(police, await server.listen(), chatbot.url),
      ...env,
    });
  });

  afterAll(async () => {
    await agent?.stop().finally(() => agent.kill());
    await chatbot?.close();
    await server.close();
  });

  async function envelope() {
    const payload = await sealDeployed({ text: 'hello' }, tax.privateKeyPem, police.publicKeyPem);
    const timestamp = new Date().toISOString();
    return {
      id: crypto.randomUUID(),
      senderId: tax.id,
      recipientId: police.id,
      type: 'ChatMessage',
      payload,
      timestamp,
    };
  }

  /** A good message reaches the chatbot, whatever came before it. */
  async function stillWorks(): Promise<void> {
    const message = await envelope();
    await eventually(
      () => {
        if (!agent.running) throw new Error(agent.output.slice(-2000));
        server.emit(EVENTS.fullList, [[tax, police].map(toAgentRecord)]);
        server.emit(EVENTS.fromServer, message);
        return chatbot.received.some(({ body }) => (body as { id?: string }).id === message.id);
      },
      { timeoutMs: 20_000, everyMs: 200 },
    );
    posted += 1;
    expect(agent.output).not.toMatch(/unhandled|uncaught/i);
  }

  it('survives any list and any message', async () => {
    const valid = await envelope();
    const list = [[toAgentRecord(tax), { id: tax.id, deleted: true }]];
    for (const [value, name] of sample(fc.tuple(anyValue, fc.oneof(hostileName, anyText)), 100)) {
      for (const mutant of mutantsOf(list, value, name)) emitIfPossible(EVENTS.partialList, mutant);
      for (const mutant of mutantsOf({ ...valid, payload: 'a.b.c.d.e' }, value, name))
        emitIfPossible(EVENTS.fromServer, mutant);
      emitIfPossible(EVENTS.fullList, value);
      emitIfPossible(name, value);
    }
    await stillWorks();
  });

  it.each([
    ['a handshake that is no JSON', 'opening', '0{'],
    ['a handshake of null', 'opening', '0null'],
    ['a refusal without a word', 'welcome', `44${NAMESPACE}`],
    ['a refusal without a reason', 'welcome', `44${NAMESPACE},{}`],
    ['a refusal whose reason is no text', 'welcome', `44${NAMESPACE},{"message":{"toString":1}}`],
  ] as const)('survives %s, and tries again', async (_what, when, said) => {
    const before = server.logins;
    server[when] = said;
    server.drop();
    await eventually(() => {
      if (!agent.running) throw new Error(agent.output.slice(-2000));
      return server.logins > before;
    });
    await stillWorks();
  });

  it('survives any frames', async () => {
    for (const one of [`42${NAMESPACE}`, `43${NAMESPACE}`, ...sample(frame(NAMESPACE), 300)]) {
      const before = server.logins;
      server.send(one);
      server.hangUp(); // so that each frame meets a fresh connection
      await eventually(() => !agent.running || server.logins > before, { everyMs: 5 });
      if (!agent.running) throw new Error(`${JSON.stringify(one)} ended it:\n${agent.output.slice(-2000)}`);
    }
    await stillWorks();
  });

  it('survives any bytes on its own port', async () => {
    await mapParallel(sample(request, 1500), 20, (bytes) => throwBytes(agent.url, bytes));
    await stillWorks();
  });

  it('has posted to its chatbot what was sealed for it, and nothing else', () => {
    expect(chatbot.received.map(({ body }) => (body as { payload: unknown }).payload)).toEqual(
      Array.from({ length: posted }, () => ({ text: 'hello' })),
    );
  });

  function emitIfPossible(event: string, value: unknown): void {
    try {
      server.emit(event, value);
    } catch {
      // Nested too deeply to be printed here.
    }
  }
});
