import { randomUUID } from 'node:crypto';
import type { OutgoingMessage } from '../../../lib/protocol/chat-message';
import { digestOf, SentMemory, type SentRecord } from '../../../lib/outbox/sent-memory';
import { AgentStore } from '../../../lib/store/agent-store';
import { chatMessage } from '../../helpers/mesh';
import { temporaryFolder } from '../../helpers/temporary-folder';

let store: AgentStore;

beforeEach(async () => void (store = await AgentStore.open(temporaryFolder(), randomUUID())));
afterEach(() => store.close());

const record = (change: Partial<SentRecord> = {}): SentRecord => ({
  digest: 'd',
  state: 'sent',
  since: Date.now(),
  ...change,
});

const entries = () => [store.database('sent').count(), store.database('sentTimes').count()];

describe('the memory of what was sent', () => {
  it('knows what it was told, and nothing else', async () => {
    const memory = new SentMemory(store);
    const told = record({ state: 'failed', reason: 'why' });
    await memory.remember('a', told);
    expect([memory.get('a'), memory.get('b')]).toEqual([told, undefined]);
  });

  it('forgets after its span, but never what still waits', async () => {
    const memory = new SentMemory(store, 1000);
    const old = Date.now() - 1001;
    await memory.remember('sent', record({ since: old }));
    await memory.remember('waiting', record({ since: old, state: 'waiting' }));
    expect([memory.get('sent'), memory.get('waiting')?.state]).toEqual([undefined, 'waiting']);
  });

  it('gives the disk back what it forgets, a little with each message', async () => {
    const memory = new SentMemory(store, 1000);
    for (let n = 0; n < 5; n++) await memory.remember(`old-${n}`, record({ since: Date.now() - 2000 + n }));
    await memory.remember('waiting', record({ since: 0, state: 'waiting' }));
    for (let n = 0; n < 3; n++) await memory.remember(`new-${n}`, record());
    expect(entries()).toEqual([4, 3]);
    expect(memory.get('waiting')).toBeDefined();
  });

  it('counts the time from the last change', async () => {
    const memory = new SentMemory(store, 1000);
    await memory.remember('a', record({ since: Date.now() - 900, state: 'unknown' }));
    await memory.remember('a', record());
    expect(entries()).toEqual([1, 1]);
    await memory.remember('b', record({ since: Date.now() - 2000 }));
    await memory.remember('c', record());
    expect(memory.get('a')).toBeDefined();
  });

  it('survives the process', async () => {
    const folder = temporaryFolder();
    const id = randomUUID();
    const first = await AgentStore.open(folder, id);
    await new SentMemory(first).remember('a', record());
    await first.close();
    const second = await AgentStore.open(folder, id);
    expect(new SentMemory(second).get('a')?.state).toBe('sent');
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
