import { randomUUID } from 'node:crypto';
import { RetryableError } from '../../../lib/errors';
import type { OutgoingMessage } from '../../../lib/protocol/chat-message';
import { digestOf, SentMemory, type SentRecord } from '../../../lib/outbox/sent-memory';
import { AgentStore } from '../../../lib/store/agent-store';
import { chatMessage } from '../../helpers/mesh';
import { temporaryFolder } from '../../helpers/temporary-folder';
import { RecordingLog } from '../fakes';

let store: AgentStore;
let log: RecordingLog;
let memory: SentMemory;

beforeEach(async () => {
  store = await AgentStore.open(temporaryFolder(), randomUUID());
  log = new RecordingLog();
  memory = new SentMemory(store, log, 1000);
});
afterEach(async () => {
  jest.restoreAllMocks();
  await store.close();
});

const record = (change: Partial<SentRecord> = {}): SentRecord => ({
  digest: 'd',
  state: 'sent',
  since: Date.now(),
  ...change,
});

const entries = () => [store.database('sent').count(), store.database('sentTimes').count()];

describe('the memory of what was sent', () => {
  it('knows what it was told, and nothing else', async () => {
    const told = record({ state: 'failed', reason: 'why' });
    await memory.remember('a', told);
    expect([memory.get('a'), memory.get('b')]).toEqual([told, undefined]);
  });

  it('forgets after its span, but never what still waits', async () => {
    const old = Date.now() - 1001;
    await memory.remember('sent', record({ since: old }));
    await memory.remember('waiting', record({ since: old, state: 'waiting' }));
    expect([memory.get('sent'), memory.get('waiting')?.state]).toEqual([undefined, 'waiting']);
  });

  it('gives the disk back what it forgets, in whatever bursts that came, and nothing else', async () => {
    const old = Date.now() - 2000;
    for (let burst = 0; burst < 8; burst++) {
      const ids = Array.from({ length: 20 }, (_, n) => `${burst}-${n}`);
      await Promise.all(ids.map((id) => memory.remember(id, record({ since: old + burst }))));
    }
    await memory.remember('waiting', record({ since: 0, state: 'waiting' }));
    await memory.remember('young', record());
    await memory.forget();
    expect(entries()).toEqual([2, 1]);
    expect([memory.get('waiting'), memory.get('young')]).toEqual([expect.anything(), expect.anything()]);
  });

  it('counts the time from the last change', async () => {
    await memory.remember('a', record({ since: Date.now() - 2000, state: 'unknown' }));
    await memory.remember('a', record());
    await memory.forget();
    expect(entries()).toEqual([1, 1]);
    expect(memory.get('a')).toBeDefined();
  });

  it('of two changes made together the later one counts', async () => {
    const since = Date.now();
    const states = [record({ since: since - 2000, state: 'unknown' }), record({ since })];
    await Promise.all(states.map((state) => memory.remember('a', state)));
    await memory.forget();
    expect(entries()).toEqual([1, 1]);
  });

  it('forgets by itself from its start on, and no more once it stops', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    try {
      memory.start();
      await memory.remember('old', record({ since: Date.now() - 2000 }));
      jest.advanceTimersByTime(10_000);
      await memory.stop();
      expect(entries()).toEqual([0, 0]);
      await memory.remember('older', record({ since: Date.now() - 2000 }));
      jest.advanceTimersByTime(60_000);
      await memory.forget();
      expect(entries()).toEqual([1, 1]);
    } finally {
      jest.useRealTimers();
    }
  });

  it('tells when the disk does not let it forget, and does it the next time', async () => {
    await memory.remember('old', record({ since: Date.now() - 2000 }));
    jest.spyOn(store, 'write').mockRejectedValueOnce(new RetryableError('STORAGE_FAILED', 'no space'));
    await memory.forget();
    expect(log.at('warn')).toEqual([expect.stringContaining('no space')]);
    await memory.forget();
    expect(entries()).toEqual([0, 0]);
  });

  it('survives the process', async () => {
    const folder = temporaryFolder();
    const id = randomUUID();
    const first = await AgentStore.open(folder, id);
    await new SentMemory(first, log).remember('a', record());
    await first.close();
    const second = await AgentStore.open(folder, id);
    expect(new SentMemory(second, log).get('a')?.state).toBe('sent');
    await second.close();
  });
});

describe('the digest of a message', () => {
  const message: OutgoingMessage = chatMessage(randomUUID());

  it('is the same for the same message, in whatever order its members come', () => {
    const reversed = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(reversed);
      if (typeof value !== 'object' || value === null) return value;
      const members = Object.entries(value).map(([name, member]) => [name, reversed(member)] as const);
      return Object.fromEntries(members.reverse());
    };
    expect(digestOf(reversed(message) as OutgoingMessage)).toBe(digestOf(message));
  });

  it.each([
    ['recipient', (m: OutgoingMessage) => (m.recipientId = randomUUID())],
    ['timestamp', (m: OutgoingMessage) => (m.timestamp = '2026-11-20T10:00:00.000Z')],
    ['content', (m: OutgoingMessage) => (m.payload.messages[0]!['content'] = 'Another question')],
    ['number of messages', (m: OutgoingMessage) => m.payload.messages.push(m.payload.messages[0]!)],
    ['order of messages', (m: OutgoingMessage) => m.payload.messages.reverse()],
  ])('is another one for another %s', (_what, change) => {
    const [first] = message.payload.messages;
    const two = { ...message, payload: { ...message.payload, messages: [first!, { ...first!, content: 'more' }] } };
    const other = structuredClone(two);
    change(other);
    expect(digestOf(other)).not.toBe(digestOf(two));
  });
});
