import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { RetryableError } from '../../../lib/errors';
import { HttpError } from '../../../lib/http/problem';
import { Posts } from '../../../lib/outbox/posts';
import { UnsettledError } from '../../../lib/outbox/send';
import { SentMemory } from '../../../lib/outbox/sent-memory';
import type { OutgoingMessage } from '../../../lib/protocol/chat-message';
import { AgentStore } from '../../../lib/store/agent-store';
import { eventually } from '../../helpers/eventually';
import { chatMessage } from '../../helpers/mesh';
import { temporaryFolder } from '../../helpers/temporary-folder';
import { RecordingLog } from '../fakes';

let store: AgentStore;
let sent: SentMemory;
let log: RecordingLog;
let posts: Posts;
let sendNow: jest.Mock<Promise<void>, [OutgoingMessage]>;
let sendLater: jest.Mock<Promise<void>, [OutgoingMessage, string]>;

beforeEach(async () => {
  store = await AgentStore.open(temporaryFolder(), randomUUID());
  log = new RecordingLog();
  sent = new SentMemory(store, log);
  sendNow = jest.fn((_message: OutgoingMessage) => Promise.resolve());
  sendLater = jest.fn((message: OutgoingMessage, digest: string) =>
    sent.remember(message.id, { digest, state: 'waiting', since: Date.now() }),
  );
  posts = new Posts({ sent, sendNow, sendLater, log });
});
afterEach(() => store.close());

const message = () => chatMessage(randomUUID());
const another = (id: string) => ({ ...message(), id });
const remembered = (id: string, state: string) => eventually(() => sent.get(id)?.state === state, { everyMs: 2 });

/** The next sending ends when it is told to. */
function hold(): { finish: () => void; fail: (error: Error) => void } {
  const end = new EventEmitter();
  sendNow.mockImplementationOnce(async () => {
    const [error] = (await once(end, 'end')) as [Error | undefined];
    if (error) throw error;
  });
  return { finish: () => void end.emit('end'), fail: (error) => void end.emit('end', error) };
}

describe('a message that is posted', () => {
  it('is sent and answered with 200', async () => {
    const posted = message();
    await expect(posts.post(posted, false)).resolves.toEqual({ status: 200, state: 'sent' });
    expect(sendNow).toHaveBeenCalledWith(posted, undefined);
  });

  it('is stored and answered with 202 when the chatbot prefers that', async () => {
    await expect(posts.post(message(), true)).resolves.toEqual({ status: 202, state: 'waiting' });
    expect([sendNow.mock.calls.length, sendLater.mock.calls.length]).toEqual([0, 1]);
  });
});

describe('the same message posted again', () => {
  it('joins the one that is under way', async () => {
    const posted = message();
    const { finish } = hold();
    const both = [posts.post(posted, false), posts.post(structuredClone(posted), false)];
    finish();
    await expect(Promise.all(both)).resolves.toEqual([both[0], both[1]].map(() => ({ status: 200, state: 'sent' })));
    expect(sendNow).toHaveBeenCalledTimes(1);
  });

  it('shares its failure', async () => {
    const posted = message();
    const { fail } = hold();
    const both = [posts.post(posted, false), posts.post(posted, false)];
    fail(new HttpError(502, 'SERVER_REFUSED', 'no'));
    for (const answer of both) await expect(answer).rejects.toMatchObject({ status: 502 });
  });

  it.each([
    new HttpError(502, 'UPLINK_DOWN', 'why'),
    new UnsettledError(504, 'NO_ANSWER', 'why'),
    new UnsettledError(502, 'SERVER_REFUSED', 'for now'),
  ])('is stored when it can wait, and the one that it joined found no server ($status $code)', async (error) => {
    const posted = message();
    const { fail } = hold();
    const first = posts.post(posted, false);
    const others = [posts.post(posted, true), posts.post(posted, true)];
    fail(error);
    await expect(first).rejects.toBe(error);
    await expect(Promise.all(others)).resolves.toEqual([1, 2].map(() => ({ status: 202, state: 'waiting' })));
    expect([sendNow.mock.calls.length, sendLater.mock.calls.length]).toEqual([1, 1]);
    expect(posts.status(posted.id)?.status).toBe('waiting');
  });

  it('is not stored when the one that it joined was refused for good', async () => {
    const posted = message();
    const { fail } = hold();
    const both = [posts.post(posted, false), posts.post(posted, true)];
    fail(new HttpError(502, 'SERVER_REFUSED', 'no'));
    for (const answer of both) await expect(answer).rejects.toMatchObject({ status: 502 });
    expect(sendLater).not.toHaveBeenCalled();
  });

  it.each([
    [false, 200],
    [true, 202],
  ])('is not sent once it was taken, also by a process before (respond-async %s: %d)', async (respondAsync, status) => {
    const posted = message();
    await posts.post(posted, false);
    await remembered(posted.id, 'sent');
    for (const again of [posts, new Posts({ sent, sendNow, sendLater, log })]) {
      await expect(again.post(posted, respondAsync)).resolves.toEqual({ status, state: 'sent' });
    }
    expect([sendNow.mock.calls.length, sendLater.mock.calls.length]).toEqual([1, 0]);
  });

  it.each([true, false])('is answered with 202 while it waits (respond-async %s)', async (respondAsync) => {
    const posted = message();
    await posts.post(posted, true);
    await expect(posts.post(posted, respondAsync)).resolves.toEqual({ status: 202, state: 'waiting' });
    expect([sendNow.mock.calls.length, sendLater.mock.calls.length]).toEqual([0, 1]);
  });

  it.each([
    [504, 'NO_ANSWER'],
    [502, 'SERVER_REFUSED'],
  ])('is sent again when nobody knows whether the server has it (%d %s)', async (status, code) => {
    const posted = message();
    sendNow.mockRejectedValueOnce(new UnsettledError(status, code, 'why'));
    await expect(posts.post(posted, false)).rejects.toMatchObject({ status });
    await remembered(posted.id, 'unknown');
    expect(posts.status(posted.id)?.status).toBe('unknown');
    await expect(posts.post(another(posted.id), false)).rejects.toMatchObject({ status: 409 });
    await expect(posts.post(posted, false)).resolves.toMatchObject({ status: 200 });
  });

  it('is sent again when it has failed in the outbox', async () => {
    const posted = message();
    await posts.post(posted, true);
    const { digest } = sent.get(posted.id)!;
    await sent.remember(posted.id, { digest, state: 'failed', reason: 'EXPIRED', since: Date.now() });
    await expect(posts.post(posted, true)).resolves.toEqual({ status: 202, state: 'waiting' });
    expect(sendLater).toHaveBeenCalledTimes(2);
  });
});

describe('another message under the same id', () => {
  it.each(['under way', 'sent', 'waiting'])('is refused with 409 while the first is %s', async (state) => {
    const posted = message();
    const { finish } = state === 'under way' ? hold() : { finish: () => undefined };
    const first = posts.post(posted, state === 'waiting');
    if (state !== 'under way') await first;
    if (state === 'sent') await remembered(posted.id, 'sent');
    const refused = posts.post(another(posted.id), false);
    await expect(refused).rejects.toMatchObject({ status: 409, code: 'ID_REUSED' });
    finish();
    await first;
  });

  it.each([404, 502])('is taken when the first was never taken (%d)', async (status) => {
    const posted = message();
    sendNow.mockRejectedValueOnce(new HttpError(status, 'SERVER_REFUSED', 'no'));
    await expect(posts.post(posted, false)).rejects.toMatchObject({ status });
    await expect(posts.post(another(posted.id), false)).resolves.toMatchObject({ status: 200 });
  });
});

describe('a store that fails', () => {
  const failure = new RetryableError('STORAGE_FAILED', 'The disk is full');

  it('does not keep a message from being sent, and is complained of once', async () => {
    sent.remember = () => Promise.reject(failure);
    sent.get = () => {
      throw failure;
    };
    for (let n = 0; n < 3; n++) await expect(posts.post(message(), false)).resolves.toMatchObject({ status: 200 });
    expect(log.at('error')).toEqual([expect.stringContaining('The disk is full')]);
  });

  it('refuses what would have to be stored, with a time to come again', async () => {
    sendLater.mockRejectedValueOnce(failure);
    const refused = posts.post(message(), true);
    await expect(refused).rejects.toMatchObject({ status: 503, code: 'STORAGE_FAILED', retryAfterS: 5 });
  });

  it('that hangs makes nobody wait', async () => {
    sent.remember = () => new Promise(() => undefined);
    const posted = message();
    await expect(posts.post(posted, false)).resolves.toMatchObject({ status: 200 });
    await expect(posts.post(posted, false)).resolves.toMatchObject({ status: 200 });
    expect(sendNow).toHaveBeenCalledTimes(1);
  });
});

it('a thousand messages are sent at once, and the next is told when to come again', async () => {
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  sendNow.mockImplementation(() => held);
  const sending = Array.from({ length: 1000 }, () => posts.post(message(), false));
  await expect(posts.post(message(), false)).rejects.toMatchObject({ status: 503, code: 'BUSY', retryAfterS: 1 });
  release();
  await Promise.all(sending);
  await expect(posts.post(message(), false)).resolves.toMatchObject({ status: 200 });
});

describe('the status of a message', () => {
  it('is unknown to an agent that never had it', () => expect(posts.status(randomUUID())).toBeUndefined());

  it('says what became of it, and nothing of what it said', async () => {
    const posted = message();
    const { finish } = hold();
    const sending = posts.post(posted, false);
    expect(posts.status(posted.id)).toMatchObject({ id: posted.id, status: 'waiting' });
    finish();
    await sending;
    await remembered(posted.id, 'sent');
    const since = expect.stringMatching(/^\d{4}-.*Z$/) as string;
    expect(posts.status(posted.id)).toEqual({ id: posted.id, status: 'sent', since });
    await sent.remember(posted.id, { digest: 'd', state: 'failed', reason: 'EXPIRED: why', since: Date.now() });
    await eventually(() => posts.status(posted.id)?.status === 'failed', { everyMs: 2 });
    expect(posts.status(posted.id)).toEqual({ id: posted.id, status: 'failed', reason: 'EXPIRED: why', since });
  });
});
