import { createPrivateKey, createPublicKey, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AgentDirectory } from '../../../lib/agents/directory';
import type { AgentConfig } from '../../../lib/config/types';
import { encryptCompact } from '../../../lib/crypto/jwe';
import { signCompact } from '../../../lib/crypto/jws';
import { seal } from '../../../lib/crypto/seal';
import { keyOf } from '../../../lib/inbox/duplicate-window';
import { receive, type ReceiveContext } from '../../../lib/inbox/receive';
import type { Envelope } from '../../../lib/protocol/envelope';
import type { AgentAck } from '../../../lib/protocol/events';
import { AgentStore } from '../../../lib/store/agent-store';
import { type Chatbot, startChatbot } from '../../helpers/chatbot';
import { sealDeployed } from '../../helpers/deployed-agent';
import { eventually } from '../../helpers/eventually';
import { type AgentIdentity, makeIdentity, toAgentRecord } from '../../helpers/keys';
import { temporaryFolder } from '../../helpers/temporary-folder';
import { countingMetrics, RecordingLog } from '../fakes';
import { receiveContext } from './receive-context';

const OK = { status: 'ok' };
const SECRET = 'Mari Maasikas';
const TIMEOUT_MS = 1000;

const [alpha, beta, gamma] = ['alpha', 'beta', 'gamma'].map(makeIdentity) as [
  AgentIdentity,
  AgentIdentity,
  AgentIdentity,
];
const payload = { chat: { id: randomUUID() }, messages: [{ content: SECRET }] };

let chatbot: Chatbot;
let log: RecordingLog;
let counted: Record<string, number>;
let context: ReceiveContext;
let store: AgentStore;

beforeAll(async () => {
  chatbot = await startChatbot();
  store = await AgentStore.open(temporaryFolder(), beta.id);
});
afterAll(async () => {
  await chatbot.close();
  await store.close();
});

beforeEach(() => {
  chatbot.received.length = 0;
  chatbot.answerWith({});
  const counting = countingMetrics();
  log = new RecordingLog();
  counted = counting.counted;
  const directory = new AgentDirectory();
  directory.replace([alpha, beta].map(toAgentRecord));
  context = receiveContext(store, beta.privateKeyPem, {
    config: agentConfig(chatbot.url),
    directory,
    stopping: new AbortController().signal,
    metrics: counting.metrics,
    log,
  });
});

/** As much of beta's configuration as receiving takes; each message is posted once. */
function agentConfig(endpoint: string, messageBinding: AgentConfig['messageBinding'] = 'prefer'): AgentConfig {
  return { agentId: beta.id, chatbot: { endpoint, timeoutMs: TIMEOUT_MS, retryMs: 0 }, messageBinding } as AgentConfig;
}

/** Sealed for beta, with the claims that bind it to its envelope. */
async function message(
  sender = alpha,
  id: string = randomUUID(),
): Promise<Envelope & { receivedAt: string; extra: 1 }> {
  const binding = { messageId: id, senderId: sender.id, recipientId: beta.id };
  const keys = [createPrivateKey(sender.privateKeyPem), createPublicKey(beta.publicKeyPem)] as const;
  return {
    id,
    senderId: sender.id,
    recipientId: beta.id,
    type: 'ChatMessage',
    timestamp: '2026-11-20T10:00:00.000Z',
    payload: await seal(payload, binding, ...keys),
    receivedAt: '2026-11-20T10:00:00.001Z',
    extra: 1,
  };
}

const typesOf = (ack: AgentAck) => (ack.status === 'error' ? ack.errors.map(({ type }) => type) : ack.status);

/** A server whose every request is answered like this. */
async function serve(listener: RequestListener): Promise<{ url: string; close(): void }> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () => server.close().closeAllConnections(),
  };
}

describe('a message that fits', () => {
  it('is posted to the chatbot in the clear, with the six fields of the contract, and answered ok', async () => {
    const { receivedAt: _receivedAt, extra: _extra, ...envelope } = await message();
    await expect(receive(context, { ...envelope, receivedAt: 'x', extra: 1 })).resolves.toEqual(OK);
    expect(chatbot.received).toEqual([
      expect.objectContaining({ method: 'POST', path: '/messages', body: { ...envelope, payload } }),
    ]);
    expect(chatbot.received[0]?.headers['content-type']).toBe('application/json');
    expect(counted).toEqual({ dmr_messages_received_total: 1 });
  });

  it('may be sealed by a deployed agent', async () => {
    const sealed = await sealDeployed(payload, alpha.privateKeyPem, beta.publicKeyPem);
    const envelope = { ...(await message()), payload: sealed };
    await expect(receive(context, envelope)).resolves.toEqual(OK);
    context.config = agentConfig(chatbot.url, 'require');
    const strict = await receive(context, { ...envelope, id: randomUUID() });
    expect(typesOf(strict)).toEqual(['SIGNATURE_VALIDATION_FAILED']);
  });

  it.each([200, 201, 202, 204, 299])('is delivered when the chatbot answers %d', async (status) => {
    chatbot.answerWith({ status });
    await expect(receive(context, await message())).resolves.toEqual(OK);
  });

  it('is delivered when the chatbot says so and then breaks off', async () => {
    const broken = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('half', () => response.destroy());
    });
    context.config = agentConfig(broken.url);
    await expect(receive(context, await message())).resolves.toEqual(OK);
    broken.close();
  });

  it('is answered after the chatbot has answered and not before', async () => {
    let response: ServerResponse | undefined;
    const slow = await serve((_request, itsResponse) => void (response = itsResponse));
    context.config = { ...agentConfig(slow.url), chatbot: { endpoint: slow.url, timeoutMs: 10_000, retryMs: 0 } };
    const answered = jest.fn();
    const answer = receive(context, await message()).then(answered);
    await eventually(() => response !== undefined, { everyMs: 1 });
    expect(answered).not.toHaveBeenCalled();
    response?.end();
    await answer;
    expect(answered).toHaveBeenCalledWith(OK);
    slow.close();
  });
});

describe('a duplicate', () => {
  it('of a message that was delivered is answered ok at once, and not delivered again', async () => {
    const first = await message();
    await receive(context, first);
    await expect(receive(context, { ...first, receivedAt: 'later' })).resolves.toEqual(OK);
    expect(chatbot.received).toHaveLength(1);
    expect(counted).toEqual({ dmr_messages_received_total: 1, dmr_duplicates_dropped_total: 1 });
  });

  it('of a message under way gets the answer of the first', async () => {
    const first = await message();
    const answers = await Promise.all([1, 2, 3].map(() => receive(context, first)));
    expect(answers).toEqual([OK, OK, OK]);
    expect(chatbot.received).toHaveLength(1);
    expect(counted).toMatchObject({ dmr_duplicates_dropped_total: 2 });
    expect(context.underWay.size).toBe(0);
  });

  it('of a message under way shares its failure, too', async () => {
    chatbot.answerNext({ status: 500 });
    const first = await message();
    const answers = await Promise.all([1, 2].map(() => receive(context, first)));
    expect(answers.map(typesOf)).toEqual([['DELIVERY_FAILED'], ['DELIVERY_FAILED']]);
    expect(chatbot.received).toHaveLength(1);
    expect(context.underWay.size).toBe(0);
  });

  it('is none when the first one failed', async () => {
    chatbot.answerNext({ status: 500 });
    const first = await message();
    expect(typesOf(await receive(context, first))).toEqual(['DELIVERY_FAILED']);
    await expect(receive(context, first)).resolves.toEqual(OK);
    expect(chatbot.received).toHaveLength(2);
    expect(counted).not.toHaveProperty('dmr_duplicates_dropped_total');
  });

  it('is none under the same id of another sender', async () => {
    context.directory.patch([toAgentRecord(gamma)]);
    const id = randomUUID();
    const answers = [
      await receive(context, await message(alpha, id)),
      await receive(context, await message(gamma, id)),
    ];
    expect(answers).toEqual([OK, OK]);
    expect(chatbot.received.map(({ body }) => (body as { senderId: string }).senderId)).toEqual([alpha.id, gamma.id]);
  });

  it('cannot be made of a message that a stranger forged under the same id', async () => {
    const real = await message();
    const forged = { ...real, payload: await sealDeployed(payload, gamma.privateKeyPem, beta.publicKeyPem) };
    expect(typesOf(await receive(context, forged))).toEqual(['SIGNATURE_VALIDATION_FAILED']);
    await expect(receive(context, real)).resolves.toEqual(OK);
  });
});

describe('a chatbot that does not take the message', () => {
  it.each([
    ['answers 400', { status: 400 }, 'refused the message with status 400', undefined],
    ['answers 404', { status: 404 }, 'refused the message with status 404', undefined],
    ['answers 304', { status: 304 }, 'refused the message with status 304', undefined],
    ['answers 408', { status: 408 }, 'status 408', 'status'],
    ['answers 425', { status: 425 }, 'status 425', 'status'],
    ['answers 429', { status: 429 }, 'status 429', 'status'],
    ['answers 500', { status: 500 }, 'status 500', 'status'],
    ['answers 503', { status: 503 }, 'status 503', 'status'],
    ['never answers', 'hang', "The recipient's chatbot did not answer within", 'timeout'],
    ['cuts the connection', 'close', 'cannot be reached', 'broken'],
  ] as const)('because it %s makes a final DELIVERY_FAILED', async (_what, answer, why, reason) => {
    chatbot.answerWith(answer);
    const ack = await receive(context, await message());
    const errors = [{ type: 'DELIVERY_FAILED', message: expect.stringContaining(why) as unknown, final: true }];
    expect(ack).toEqual({ status: 'error', errors });
    expect(counted).toEqual({
      ...(reason && { [`dmr_chatbot_failures_total{reason="${reason}"}`]: 1 }),
      'dmr_messages_rejected_total{type="DELIVERY_FAILED"}': 1,
    });
  });

  it('because nobody listens makes DELIVERY_FAILED', async () => {
    context.config = agentConfig('http://127.0.0.1:1/');
    expect(typesOf(await receive(context, await message()))).toEqual(['DELIVERY_FAILED']);
  });

  it.each([301, 302, 303, 307, 308])('because it redirects with %d is not followed', async (status) => {
    const elsewhere = await serve((_request, response) => response.writeHead(status, { location: chatbot.url }).end());
    context.config = agentConfig(elsewhere.url);
    expect(typesOf(await receive(context, await message()))).toEqual(['DELIVERY_FAILED']);
    expect(chatbot.received).toEqual([]);
    elsewhere.close();
  });
});

describe('a message that cannot be opened', () => {
  const unopened = async (changed: object) => {
    const ack = await receive(context, { ...(await message()), ...changed });
    expect(chatbot.received).toEqual([]);
    return typesOf(ack);
  };

  it('is DECRYPTION_FAILED', async () => {
    await expect(unopened({ payload: 'no JWE' })).resolves.toEqual(['DECRYPTION_FAILED']);
    const forAlpha = await sealDeployed(payload, alpha.privateKeyPem, alpha.publicKeyPem);
    await expect(unopened({ payload: forAlpha })).resolves.toEqual(['DECRYPTION_FAILED']);
  });

  it('is SIGNATURE_VALIDATION_FAILED when somebody else signed it', async () => {
    const byGamma = await sealDeployed(payload, gamma.privateKeyPem, beta.publicKeyPem);
    await expect(unopened({ payload: byGamma })).resolves.toEqual(['SIGNATURE_VALIDATION_FAILED']);
  });

  it('is SIGNATURE_VALIDATION_FAILED when it was sealed for another id', async () => {
    await expect(unopened({ id: randomUUID() })).resolves.toEqual(['SIGNATURE_VALIDATION_FAILED']);
  });

  it('is DELIVERY_FAILED from a sender that is not listed yet, and opens once it is', async () => {
    const early = await message(gamma);
    expect(typesOf(await receive(context, early))).toEqual(['DELIVERY_FAILED']);
    context.directory.patch([toAgentRecord(gamma)]);
    await expect(receive(context, early)).resolves.toEqual(OK);
  });

  it('is DELIVERY_FAILED while the listed key of the sender is none', async () => {
    context.directory.patch([{ ...toAgentRecord(alpha), authenticationCertificate: 'none' }]);
    await expect(unopened({})).resolves.toEqual(['DELIVERY_FAILED']);
  });
});

it('is refused for good, by name and not posted, when its payload is too deep to be printed again', async () => {
  const shallow = await message();
  const [id, nested] = [randomUUID(), '['.repeat(20_000) + ']'.repeat(20_000)];
  const jws = signCompact(`{"data":{"chat":{"id":"x"},"nested":${nested}}}`, createPrivateKey(alpha.privateKeyPem));
  const deep = { ...shallow, id, payload: encryptCompact(jws, createPublicKey(beta.publicKeyPem)) };
  const why = expect.stringContaining('its sender must nest it less') as unknown;
  const errors = [{ type: 'DELIVERY_FAILED', message: why, final: true }];
  await expect(receive(context, deep)).resolves.toEqual({ status: 'error', errors });
  expect(chatbot.received).toEqual([]);
  await expect(context.seen.begin(keyOf(deep))).resolves.toBe(false); // nothing stays noted of it
  await expect(receive(context, shallow)).resolves.toEqual(OK);
});

describe('what is no message for this agent', () => {
  it.each([undefined, null, 1, 'text', [], [{}]])('%j is UNKNOWN', async (value) => {
    const errors = [{ type: 'UNKNOWN', message: 'The message is not an object' }];
    await expect(receive(context, value)).resolves.toEqual({ status: 'error', errors });
    expect(counted).toEqual({ 'dmr_messages_rejected_total{type="UNKNOWN"}': 1 });
  });

  it('is INVALID_FORMAT for each broken rule, counted once', async () => {
    const ack = await receive(context, { ...(await message()), id: 'x', type: 'x' });
    expect(typesOf(ack)).toEqual(['INVALID_FORMAT', 'INVALID_FORMAT']);
    expect(counted).toEqual({ 'dmr_messages_rejected_total{type="INVALID_FORMAT"}': 1 });
  });

  it('is INVALID_TIMESTAMP with another form of time', async () => {
    const ack = await receive(context, { ...(await message()), timestamp: '2026-11-20' });
    expect(typesOf(ack)).toEqual(['INVALID_TIMESTAMP']);
  });

  it('is INVALID_RECIPIENT_ID when it is for another agent', async () => {
    const ack = await receive(context, { ...(await message()), recipientId: alpha.id });
    expect(typesOf(ack)).toEqual(['INVALID_RECIPIENT_ID']);
    expect(chatbot.received).toEqual([]);
  });
});

it('answers DELIVERY_FAILED without detail when something breaks inside', async () => {
  context.directory.keysOf = () => {
    throw new TypeError(SECRET);
  };
  const errors = [{ type: 'DELIVERY_FAILED', message: 'Internal error of the recipient' }];
  await expect(receive(context, await message())).resolves.toEqual({ status: 'error', errors });
  expect(context.underWay.size).toBe(0);
});

it('logs ids and never a payload, sealed or open', async () => {
  const taken = await message();
  await receive(context, taken);
  await receive(context, taken);
  chatbot.answerNext({ status: 500 });
  const failed = await message();
  await receive(context, failed);
  const text = JSON.stringify(log.lines);
  expect(text).toContain(failed.id);
  for (const secret of [SECRET, taken.payload, failed.payload]) expect(text).not.toContain(secret);
});
