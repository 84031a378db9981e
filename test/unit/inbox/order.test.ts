import { createPrivateKey, createPublicKey, randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { AgentDirectory } from '../../../lib/agents/directory';
import type { AgentConfig } from '../../../lib/config/types';
import { seal } from '../../../lib/crypto/seal';
import { receive, type ReceiveContext } from '../../../lib/inbox/receive';
import { AgentStore } from '../../../lib/store/agent-store';
import { type Chatbot, startChatbot } from '../../helpers/chatbot';
import { eventually } from '../../helpers/eventually';
import { makeIdentity, toAgentRecord } from '../../helpers/keys';
import { temporaryFolder } from '../../helpers/temporary-folder';
import { countingMetrics, RecordingLog } from '../fakes';
import { receiveContext } from './receive-context';

const OK = { status: 'ok' };
const [alpha, beta] = [makeIdentity('alpha'), makeIdentity('beta')];

let chatbot: Chatbot;
let store: AgentStore;
let context: ReceiveContext;

jest.setTimeout(30_000); // sealing and opening is work, and other tests work at the same time

beforeEach(async () => {
  chatbot = await startChatbot();
  store = await AgentStore.open(temporaryFolder(), beta.id);
  const directory = new AgentDirectory();
  directory.replace([toAgentRecord(alpha)]);
  const log = new RecordingLog();
  const chatbotConfig = { endpoint: chatbot.url, timeoutMs: 1000, retryMs: 20_000 };
  context = receiveContext(store, beta.privateKeyPem, {
    config: { agentId: beta.id, chatbot: chatbotConfig, messageBinding: 'prefer' } as AgentConfig,
    directory,
    stopping: unlimited(new AbortController().signal),
    metrics: countingMetrics().metrics,
    log,
  });
});
afterEach(async () => {
  await chatbot.close();
  await store.close();
});

/** As the service makes it. */
function unlimited(signal: AbortSignal): AbortSignal {
  setMaxListeners(0, signal);
  return signal;
}

/** Number `n` of a chat; the longer its content the longer it takes to open. */
async function message(chat: unknown, n: number, length = 0) {
  const id = randomUUID();
  const binding = { messageId: id, senderId: alpha.id, recipientId: beta.id };
  const payload = { ...(chat === undefined ? {} : { chat: { id: chat } }), n, content: 'x'.repeat(length) };
  const keys = [createPrivateKey(alpha.privateKeyPem), createPublicKey(beta.publicKeyPem)] as const;
  const timestamp = new Date().toISOString();
  const sealed = await seal(payload, binding, ...keys);
  return { id, senderId: alpha.id, recipientId: beta.id, type: 'ChatMessage', timestamp, payload: sealed };
}

interface Posted {
  payload: { chat?: { id: string }; n: number };
}
const numbers = (chat?: string) =>
  chatbot.received.map(({ body }) => (body as Posted).payload).flatMap((p) => (p.chat?.id === chat ? [p.n] : []));

it('each chat keeps the order of arrival, whatever takes longer to open and to answer', async () => {
  const chats = ['one', 'two', 'three'];
  const all = await Promise.all(
    Array.from({ length: 60 }, (_, n) => message(chats[n % 3], n, n % 4 === 0 ? 60_000 : 0)),
  );
  for (let n = 0; n < 60; n++) chatbot.answerNext({ delayMs: (n * 7) % 20 });
  await expect(Promise.all(all.map((each) => receive(context, each)))).resolves.toEqual(Array(60).fill(OK));
  chats.forEach((chat, c) => expect(numbers(chat)).toEqual(Array.from({ length: 20 }, (_, n) => 3 * n + c)));
});

it('a message that has to be posted again keeps those behind it waiting, and no other chat', async () => {
  const [first, second, third] = [await message('one', 1), await message('one', 2), await message('one', 3)];
  const other = await message('two', 7);
  chatbot.answerNext({ status: 500 });
  const answers = [first, second, third].map((each) => receive(context, each));
  await chatbot.waitFor(() => true);
  await expect(receive(context, other)).resolves.toEqual(OK);
  expect(numbers('one')).toEqual([1]); // still waiting
  await expect(Promise.all(answers)).resolves.toEqual([OK, OK, OK]);
  expect(numbers('one')).toEqual([1, 1, 2, 3]);
});

it('a message that is refused, or cannot be opened, lets those behind it go on', async () => {
  chatbot.answerNext({ status: 400 });
  const unopened = { ...(await message('one', 2)), payload: 'no seal' };
  const messages = [await message('one', 1), unopened, await message('one', 3)];
  const answers = await Promise.all(messages.map((each) => receive(context, each)));
  expect(answers).toMatchObject([{ errors: [{ type: 'DELIVERY_FAILED', final: true }] }, { status: 'error' }, OK]);
  expect(numbers('one')).toEqual([1, 3]);
});

it.each([undefined, null, '', 17, 'x'.repeat(201)])(
  'messages with the chat %j do not wait for each other',
  async (chat) => {
    context.config.chatbot.timeoutMs = 10_000;
    const messages = [await message(chat, 1), await message(chat, 2)];
    chatbot.answerNext({ delayMs: 1000 }); // longer than the other one takes from its arrival to its answer
    const answered: number[] = [];
    const receiving = messages.map((each, i) => receive(context, each).then(() => answered.push(i)));
    await Promise.all(receiving);
    expect(answered).toEqual([1, 0]);
  },
);

it('copies that come while a message is tried again are answered with it, and posted never', async () => {
  chatbot.answerNext({ status: 500 });
  const once = await message('one', 1);
  const first = receive(context, once);
  await chatbot.waitFor(() => true);
  await expect(Promise.all([first, receive(context, once), receive(context, once)])).resolves.toEqual([OK, OK, OK]);
  expect(numbers('one')).toEqual([1, 1]);
});

it('more than a thousand under way are sent back for later', async () => {
  for (let n = 0; n < 1000; n++) context.underWay.set(`other ${n}`, new Promise(() => {}));
  const late = await message('one', 1);
  await expect(receive(context, late)).resolves.toMatchObject({ errors: [{ type: 'DELIVERY_FAILED' }] });
  expect(chatbot.received).toEqual([]);
  context.underWay.clear();
  await expect(receive(context, late)).resolves.toEqual(OK);
});

it('a chatbot that is down gets little to do from many messages, and all of them when it is back', async () => {
  await chatbot.close();
  const messages = await Promise.all(Array.from({ length: 30 }, (_, n) => message(`chat ${n}`, n)));
  let attempts = 0;
  context.metrics.attach((name) => void (attempts += name === 'dmr_chatbot_failures_total' ? 1 : 0));
  const answers = Promise.all(messages.map((each) => receive(context, each)));
  await eventually(() => context.gate.shut);
  await pause(1000); // what was under way when the gate shut has failed by then: nobody listens
  const before = attempts;
  await pause(3000); // pauses of half a second and more, growing; without the gate all thirty would have tried twice
  expect(attempts - before).toBeLessThanOrEqual(4);
  chatbot = await startChatbot();
  context.config.chatbot.endpoint = chatbot.url;
  await expect(answers).resolves.toEqual(Array(30).fill(OK));
  expect(chatbot.received).toHaveLength(30);
});
