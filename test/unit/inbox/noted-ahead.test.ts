import { createPrivateKey, createPublicKey, randomUUID } from 'node:crypto';
import { AgentDirectory } from '../../../lib/agents/directory';
import type { AgentConfig } from '../../../lib/config/types';
import { seal } from '../../../lib/crypto/seal';
import { RetryableError } from '../../../lib/errors';
import { keyOf } from '../../../lib/inbox/duplicate-window';
import { receive, type ReceiveContext } from '../../../lib/inbox/receive';
import { AgentStore } from '../../../lib/store/agent-store';
import { type Chatbot, startChatbot } from '../../helpers/chatbot';
import { makeIdentity, toAgentRecord } from '../../helpers/keys';
import { temporaryFolder } from '../../helpers/temporary-folder';
import { countingMetrics, RecordingLog } from '../fakes';
import { noTracing } from '../../../lib/telemetry/tracing';
import { receiveContext } from './receive-context';

const OK = { status: 'ok' };
const [alpha, beta] = [makeIdentity('alpha'), makeIdentity('beta')];

let chatbot: Chatbot;
let store: AgentStore;
let context: ReceiveContext;

beforeEach(async () => {
  chatbot = await startChatbot();
  store = await AgentStore.open(temporaryFolder(), beta.id);
  const directory = new AgentDirectory();
  directory.replace([alpha, beta].map(toAgentRecord));
  context = receiveContext(store, beta.privateKeyPem, {
    config: {
      agentId: beta.id,
      chatbot: { endpoint: chatbot.url, timeoutMs: 1000, retryMs: 5000 },
      messageBinding: 'prefer',
    } as AgentConfig,
    directory,
    stopping: new AbortController().signal,
    metrics: countingMetrics().metrics,
    log: new RecordingLog(),
  });
});
afterEach(async () => {
  jest.restoreAllMocks();
  await chatbot.close();
  await store.close();
});

async function message(id: string = randomUUID()) {
  const binding = { messageId: id, senderId: alpha.id, recipientId: beta.id };
  const keys = [createPrivateKey(alpha.privateKeyPem), createPublicKey(beta.publicKeyPem)] as const;
  const payload = await seal({ chat: { id: randomUUID() } }, binding, ...keys);
  const type = 'ChatMessage' as const;
  return { id, senderId: alpha.id, recipientId: beta.id, type, timestamp: '2026-11-20T10:00:00.000Z', payload };
}

const traceparentOf = (number: number) => `00-${'a'.repeat(32)}-000000000000000${number + 1}-01`;
const marks = () => chatbot.received.map(({ headers }) => headers['x-dmr-redelivered']);

it('is a message that comes alone, while it is opened', async () => {
  const noted = jest.spyOn(context.seen, 'begin');
  const received = receive(context, await message());
  expect(noted).toHaveBeenCalledTimes(1);
  await expect(received).resolves.toEqual(OK);
  expect(noted).toHaveBeenCalledTimes(1);
  expect(marks()).toEqual([undefined]);
});

it("is in the store's hands before the opening blocks", async () => {
  const commit = jest.spyOn(store as unknown as { commit(): Promise<void> }, 'commit');
  const opening = jest.spyOn(context.directory, 'keysOf'); // the first thing that it asks for
  await receive(context, await message());
  expect(commit.mock.invocationCallOrder[0]).toBeLessThan(opening.mock.invocationCallOrder[0]!);
});

it('is none that comes behind another, before its turn', async () => {
  const [first, second] = [await message(), await message()];
  const noted = jest.spyOn(context.seen, 'begin');
  const both = Promise.all([first, second].map((each) => receive(context, each)));
  expect(noted.mock.calls).toEqual([[keyOf(first)]]);
  await both;
  expect(marks()).toEqual([undefined, undefined]);
});

it('is none that comes while the chatbot is away, which may not be posted for long', async () => {
  const gone = new AbortController();
  context.stopping = gone.signal;
  jest.spyOn(context.gate, 'shut', 'get').mockReturnValue(true);
  const received = receive(context, await message());
  await new Promise(setImmediate);
  gone.abort();
  await expect(received).resolves.toMatchObject({ status: 'error' });
  await context.seen.begin('what is written after it');
  expect(context.seen.size).toBe(1);
});

it('is opened before those that came behind it', async () => {
  const messages = [await message(), await message(), await message()];
  const opened: string[] = [];
  const start: typeof noTracing.start = (name, kind, parent) => {
    if (name === 'open') opened.push(String(parent?.traceparent));
    return noTracing.start(name, kind, parent);
  };
  context.tracing = { ...noTracing, start };
  await Promise.all(messages.map((each, i) => receive(context, { ...each, traceparent: traceparentOf(i) })));
  expect(opened).toEqual(messages.map((_message, i) => traceparentOf(i)));
});

it('is forgotten when the agent stops before the POST, so that the next process posts it as new', async () => {
  const stop = new AbortController();
  context.stopping = stop.signal;
  const received = receive(context, await message());
  stop.abort();
  await expect(received).resolves.toMatchObject({ status: 'error' });
  await context.seen.begin('what is written after it');
  expect(context.seen.size).toBe(1);
});

it('is forgotten when it cannot be opened, so that a copy that can be is no repetition', async () => {
  const good = await message();
  const bad = { ...good, payload: 'no seal' };
  await expect(receive(context, bad)).resolves.toMatchObject({ status: 'error' });
  await context.seen.begin('what is written after it');
  expect(context.seen.size).toBe(1);
  await expect(receive(context, good)).resolves.toEqual(OK);
  expect(marks()).toEqual([undefined]);
});

it('stays noted when an earlier process noted it, though this copy cannot be opened', async () => {
  const good = await message();
  await context.seen.begin(keyOf(good));
  await receive(context, { ...good, payload: 'no seal' });
  await expect(receive(context, good)).resolves.toEqual(OK);
  expect(marks()).toEqual(['true']);
});

it('is asked for again when the disk refused at first', async () => {
  jest.spyOn(store, 'write').mockRejectedValueOnce(new RetryableError('STORAGE_FAILED', 'no space'));
  await expect(receive(context, await message())).resolves.toEqual(OK);
  expect(marks()).toEqual([undefined]);
});
