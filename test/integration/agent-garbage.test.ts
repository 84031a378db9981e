import { randomUUID } from 'node:crypto';
import { startChatbot, type Chatbot } from '../helpers/chatbot';
import { EVENTS, sealDeployed } from '../helpers/deployed-agent';
import { DeployedServer } from '../helpers/deployed-server';
import { makeIdentity, toAgentRecord } from '../helpers/keys';
import { startAgent, untilHealthy, type AgentNode } from '../helpers/mesh';

const tax = makeIdentity('Tax Office');
const police = makeIdentity('Police');

describe('an agent whose server sends garbage', () => {
  let server: DeployedServer;
  let chatbot: Chatbot;
  let agent: AgentNode;
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => unhandled.push(reason);

  beforeAll(async () => {
    process.on('unhandledRejection', note);
    server = await DeployedServer.start({ agents: [tax, police] });
    chatbot = await startChatbot();
    agent = await startAgent(police, server.url, chatbot.url);
  });

  afterAll(async () => {
    await agent?.stop();
    await chatbot?.close();
    await server?.close();
    process.off('unhandledRejection', note);
  });

  async function sealed() {
    const payload = await sealDeployed({ text: 'hello' }, tax.privateKeyPem, police.publicKeyPem);
    const timestamp = new Date().toISOString();
    return { id: randomUUID(), senderId: tax.id, recipientId: police.id, type: 'ChatMessage', payload, timestamp };
  }

  /** A message sent down like any other is delivered: the agent still does its job. */
  async function stillWorks() {
    const message = await sealed();
    server.route(message);
    await chatbot.waitFor(({ body }) => (body as { id: string }).id === message.id);
    await untilHealthy(agent.url);
    expect(unhandled).toEqual([]);
  }

  it.each([
    ['nothing', []],
    ['null', [null]],
    ['a number', [42]],
    ['text', ['[[]]']],
    ['an object', [{ length: 1 }]],
    ['nulls in the list', [[[null, 42, 'x', []]]]],
    ['agents without id or key', [[[{ id: 7 }, { name: 'x' }, { id: police.id }]]]],
    ['a key that is none', [[[{ ...toAgentRecord(makeIdentity('Odd')), authenticationCertificate: 'no key' }]]]],
    ['a removal of a stranger', [[[{ id: randomUUID(), deleted: true }]]]],
  ])('survives a partial list of %s', async (_what, args) => {
    server.emitTo(police.id, EVENTS.partialList, ...args);
    await stillWorks();
  });

  it.each([
    ['nothing', []],
    ['null', [null]],
    ['text', ['hello']],
    ['an array', [[]]],
    [
      'an envelope for somebody else',
      [{ id: randomUUID(), senderId: tax.id, recipientId: tax.id, type: 'ChatMessage' }],
    ],
    ['an ack that is not a function', [{}, 'ack']],
  ])('survives a message of %s', async (_what, args) => {
    server.emitTo(police.id, EVENTS.fromServer, ...args);
    await stillWorks();
  });

  it.each([
    ['no JWE', 'payload'],
    ['five empty parts', '....'],
    ['a JWE of somebody else', 'eyJhbGciOiJub25lIn0.a.b.c.d'],
    ['100 kB of nothing', 'x'.repeat(100_000)],
  ])('answers a payload of %s with DECRYPTION_FAILED', async (_what, payload) => {
    const message = { ...(await sealed()), payload };
    server.route(message);
    await server.until(({ sendings }) =>
      sendings.some(({ envelope, answer }) => envelope.id === message.id && !!answer),
    );
    const sending = server.sendings.find(({ envelope }) => envelope.id === message.id);
    expect(sending?.answer).toMatchObject([{ status: 'error', errors: [{ type: 'DECRYPTION_FAILED' }] }]);
    await stillWorks();
  });
});
