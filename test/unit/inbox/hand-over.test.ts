import { randomUUID } from 'node:crypto';
import { RetryableError } from '../../../lib/errors';
import { ChatbotRefusedError } from '../../../lib/inbox/chatbot';
import { ChatbotGate } from '../../../lib/inbox/chatbot-gate';
import { DuplicateWindow, keyOf } from '../../../lib/inbox/duplicate-window';
import { handOver, type HandOverContext } from '../../../lib/inbox/hand-over';
import type { Envelope } from '../../../lib/protocol/envelope';
import { AgentStore } from '../../../lib/store/agent-store';
import { type Chatbot, type ChatbotRequest, startChatbot } from '../../helpers/chatbot';
import { eventually } from '../../helpers/eventually';
import { temporaryFolder } from '../../helpers/temporary-folder';
import { countingMetrics, RecordingLog } from '../fakes';
import { noTracing } from '../../../lib/telemetry/tracing';

const ID = '4f0e8c1a-3b52-4c7e-9d11-6a5b8f2d7c01';
const REPEATED = 'true';

jest.setTimeout(30_000); // pauses between tries are up to seconds

let chatbot: Chatbot;
let store: AgentStore;
let stop: AbortController;
let context: HandOverContext;

beforeEach(async () => {
  chatbot = await startChatbot();
  store = await AgentStore.open(temporaryFolder(), ID);
  stop = new AbortController();
  const log = new RecordingLog();
  context = {
    config: config(10_000),
    seen: new DuplicateWindow(store, 60_000, log),
    gate: new ChatbotGate(),
    stopping: stop.signal,
    metrics: countingMetrics().metrics,
    tracing: noTracing,
    log,
  };
});
afterEach(async () => {
  jest.restoreAllMocks();
  await chatbot.close();
  await store.close();
});

const config = (retryMs: number, endpoint = chatbot.url) =>
  ({ chatbot: { endpoint, timeoutMs: 1000, retryMs } }) as HandOverContext['config'];

const envelope = (): Envelope => ({
  id: randomUUID(),
  senderId: randomUUID(),
  recipientId: ID,
  type: 'ChatMessage',
  payload: 'sealed',
  timestamp: new Date().toISOString(),
});

const give = (message: Envelope) => handOver(context, message, '{}', performance.now());
const marks = (requests: ChatbotRequest[]) => requests.map(({ headers }) => headers['x-dmr-redelivered']);

it('posts once, unmarked, and remembers that the chatbot has it', async () => {
  const message = envelope();
  await give(message);
  expect(marks(chatbot.received)).toEqual([undefined]);
  expect(context.seen.isDone(keyOf(message))).toBe(true);
});

it('notes a message before it is posted', async () => {
  const message = envelope();
  chatbot.answerWith('hang');
  const given = give(message).catch(() => undefined);
  await chatbot.waitFor(() => true);
  await expect(context.seen.begin(keyOf(message))).resolves.toBe(true);
  stop.abort();
  await given;
});

it.each([
  ['answers 500', { status: 500 }, REPEATED],
  ['answers 429', { status: 429 }, REPEATED],
  ['does not answer', 'hang', REPEATED],
  ['cuts the connection', 'close', REPEATED],
] as const)('posts again, marked, when the chatbot %s', async (_what, answer, mark) => {
  chatbot.answerNext(answer);
  await give(envelope());
  expect(marks(chatbot.received)).toEqual([undefined, mark]);
});

it('posts again unmarked when there was no connection', async () => {
  const { url } = chatbot;
  await chatbot.close();
  const given = give(envelope());
  // Two refusals, so that the way back to it is seen as well.
  await eventually(() => (context.log as RecordingLog).at('debug').length >= 2);
  chatbot = await startChatbot();
  context.config.chatbot.endpoint = chatbot.url;
  await given;
  expect(url).not.toBe(chatbot.url);
  expect(marks(chatbot.received)).toEqual([undefined]);
});

it('posts marked what an earlier process had begun', async () => {
  const message = envelope();
  await context.seen.begin(keyOf(message));
  await give(message);
  expect(marks(chatbot.received)).toEqual([REPEATED]);
});

it.each([301, 400, 404, 413, 422])('posts once what the chatbot refuses with %d', async (status) => {
  chatbot.answerWith({ status });
  await expect(give(envelope())).rejects.toThrow(ChatbotRefusedError);
  expect(chatbot.received).toHaveLength(1);
});

it('gives up when the time since its arrival is over, after one try at least', async () => {
  chatbot.answerWith({ status: 500 });
  context.config = config(4000);
  const started = performance.now();
  await expect(give(envelope())).rejects.toMatchObject({ code: 'CHATBOT_GIVEN_UP' });
  expect(performance.now() - started).toBeLessThan(9000);
  expect(chatbot.received.length).toBeGreaterThanOrEqual(2);
  const before = chatbot.received.length;
  await expect(handOver(context, envelope(), '{}', performance.now() - 5000)).rejects.toMatchObject({
    code: 'CHATBOT_GIVEN_UP',
  });
  expect(chatbot.received).toHaveLength(before + 1);
});

it('stops waiting for another try when the agent stops, and finishes what is being posted', async () => {
  chatbot.answerNext({ status: 500 });
  const waiting = give(envelope());
  await chatbot.waitFor(() => true);
  chatbot.answerNext({ delayMs: 100 });
  const posting = give(envelope());
  await eventually(() => chatbot.received.length >= 2);
  stop.abort();
  await expect(waiting).rejects.toMatchObject({ code: 'AGENT_STOPPING', retryable: true });
  await expect(posting).resolves.toBeUndefined();
});

it('posts nothing while the disk takes no note, and goes on when it does', async () => {
  const write = jest.spyOn(store, 'write').mockRejectedValue(new RetryableError('STORAGE_FAILED', 'no space'));
  const given = give(envelope());
  await eventually(() => write.mock.calls.length >= 2);
  expect(chatbot.received).toEqual([]);
  write.mockRestore();
  await given;
  expect(marks(chatbot.received)).toEqual([undefined]);
});

it('tells what kept it when the disk never takes the note', async () => {
  jest.spyOn(store, 'write').mockRejectedValue(new RetryableError('STORAGE_FAILED', 'no space'));
  context.config = config(0);
  await expect(give(envelope())).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  expect(chatbot.received).toEqual([]);
});

it('is through when the chatbot has it, though the disk refuses to remember that', async () => {
  const message = envelope();
  chatbot.answerWith({ delayMs: 100 });
  const given = give(message);
  await chatbot.waitFor(() => true);
  jest.spyOn(store, 'write').mockRejectedValue(new RetryableError('STORAGE_FAILED', 'no space'));
  await given;
  expect(context.seen.isDone(keyOf(message))).toBe(true);
});
