import { randomUUID } from 'node:crypto';
import { RetryableError } from '../../../lib/errors';
import { Gate } from '../../../lib/gate';
import { Outbox, type OutboxContext } from '../../../lib/outbox/outbox';
import { SentMemory } from '../../../lib/outbox/sent-memory';
import type { Envelope } from '../../../lib/protocol/envelope';
import type { ServerAck } from '../../../lib/protocol/events';
import { AgentStore } from '../../../lib/store/agent-store';
import { eventually } from '../../helpers/eventually';
import { temporaryFolder } from '../../helpers/temporary-folder';
import { countingMetrics, RecordingLog } from '../fakes';
import { noTracing } from '../../../lib/telemetry/tracing';

const FAST = { everyMs: 2 };
const OK: ServerAck = { status: 'ok' };
const [police, fire] = ['police', 'fire'];

let store: AgentStore;
let sent: SentMemory;
let uplink: Gate;
let log: RecordingLog;
let counted: Record<string, number>;
let transmitted: string[];
let answer: (envelope: Envelope) => Promise<ServerAck>;
let outbox: Outbox;

beforeEach(async () => {
  store = await AgentStore.open(temporaryFolder(), randomUUID());
  sent = new SentMemory(store, new RecordingLog());
  uplink = new Gate();
  transmitted = [];
  answer = () => Promise.resolve(OK);
  outbox = begin();
});
afterEach(async () => {
  outbox.stop();
  await store.close();
});

/** An outbox as a process of its own begins it. */
function begin(change: Partial<OutboxContext> = {}): Outbox {
  const counting = countingMetrics();
  counted = counting.counted;
  log = new RecordingLog();
  const transmit = (envelope: Envelope) => {
    transmitted.push(envelope.id);
    return answer(envelope);
  };
  const limits = { maxMessages: 100, maxAgeMs: 60_000, tracing: noTracing };
  const begun = new Outbox({ store, sent, transmit, uplink, ...limits, metrics: counting.metrics, log, ...change });
  begun.start();
  return begun;
}

const envelope = (id: string, recipientId: string) => ({ id, recipientId, payload: 'sealed' }) as Envelope;
const add = (id: string, recipientId = police, to = outbox) =>
  to.add(() => Promise.resolve(envelope(id, recipientId)), `digest of ${id}`);

async function failureOf(adding: Promise<void>): Promise<unknown> {
  return adding.then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe('the outbox', () => {
  it('holds what was added until the uplink is there, then sends it and remembers that', async () => {
    await add('a');
    expect([transmitted, outbox.waiting, sent.get('a')?.state]).toEqual([[], 1, 'waiting']);
    uplink.letThrough();
    await eventually(() => outbox.waiting === 0, FAST);
    expect([transmitted, sent.get('a')?.state, outbox.oldestAgeMs]).toEqual([['a'], 'sent', 0]);
    expect(['outbox', 'outboxEnvelopes'].map((name) => store.database(name).count())).toEqual([0, 0]);
    expect(counted).toEqual({ dmr_outbox_messages: 0, dmr_messages_sent_total: 1 });
  });

  it('keeps the order of each recipient, and lets none wait for another', async () => {
    let free: (ack: ServerAck) => void = () => undefined;
    answer = ({ id }) => (id === 'p1' ? new Promise((resolve) => (free = resolve)) : Promise.resolve(OK));
    uplink.letThrough();
    for (const id of ['p1', 'p2', 'p3']) await add(id, police);
    for (const id of ['f1', 'f2']) await add(id, fire);
    await eventually(() => transmitted.length === 3, FAST);
    expect(transmitted).toEqual(['p1', 'f1', 'f2']);
    free(OK);
    await eventually(() => outbox.waiting === 0, FAST);
    expect(transmitted).toEqual(['p1', 'f1', 'f2', 'p2', 'p3']);
  });

  it('sends what an earlier process has left, in the same order', async () => {
    const ids = Array.from({ length: 1500 }, (_, index) => `m${index}`);
    outbox.stop();
    outbox = begin({ maxMessages: 2000 });
    await Promise.all(ids.map((id) => add(id)));
    outbox.stop();
    outbox = begin({ maxMessages: 2000 });
    expect(outbox.waiting).toBe(1500);
    await add('last');
    uplink.letThrough();
    await eventually(() => outbox.waiting === 0, { timeoutMs: 30_000 });
    expect(transmitted).toEqual([...ids, 'last']);
  }, 40_000);

  it('sends again what was under way when its process ended', async () => {
    answer = () => new Promise(() => undefined);
    uplink.letThrough();
    await add('a');
    await eventually(() => transmitted.length === 1, FAST);
    outbox.stop();
    answer = () => Promise.resolve(OK);
    outbox = begin();
    await eventually(() => outbox.waiting === 0, FAST);
    expect(sent.get('a')?.state).toBe('sent');
    expect(transmitted).toEqual(['a', 'a']);
  });

  it.each([
    ['is refused for now', () => Promise.resolve<ServerAck>({ status: 'error', error: 'busy', retryable: true })],
    ['gets no answer', () => Promise.reject(new RetryableError('NO_ANSWER', 'silence'))],
    ['loses the uplink', () => Promise.reject(new RetryableError('UPLINK_LOST', 'lost'))],
    ['meets a bug', () => Promise.reject(new TypeError('x is not a function'))],
  ])('sends again what %s, and nothing overtakes it', async (_what, first) => {
    answer = () => (transmitted.length > 1 ? Promise.resolve(OK) : first());
    uplink.letThrough();
    await Promise.all(['a', 'b'].map((id) => add(id)));
    await eventually(() => outbox.waiting === 0, FAST);
    expect(transmitted).toEqual(['a', 'a', 'b']);
  });

  it('gives up what is refused for good, and says why', async () => {
    const refusal: ServerAck = { status: 'error', error: 'Recipient agent with ID x not found' };
    answer = ({ id }) => Promise.resolve(id === 'a' ? refusal : OK);
    uplink.letThrough();
    await Promise.all(['a', 'b'].map((id) => add(id)));
    await eventually(() => outbox.waiting === 0, FAST);
    expect([sent.get('a')?.state, sent.get('b')?.state]).toEqual(['failed', 'sent']);
    expect(sent.get('a')?.reason).toBe(
      'REFUSED: The DMR server refused the message: Recipient agent with ID x not found',
    );
    expect(counted).toMatchObject({ 'dmr_outbox_failed_total{reason="REFUSED"}': 1, dmr_outbox_messages: 0 });
  });

  it.each(['without an uplink', 'at a server that refuses for now'])('gives up what is too old, %s', async (where) => {
    if (where.includes('server')) uplink.letThrough();
    answer = () => Promise.resolve<ServerAck>({ status: 'error', error: 'busy', retryable: true });
    outbox.stop();
    outbox = begin({ maxAgeMs: 150 });
    await add('a');
    await eventually(() => outbox.waiting === 0, FAST);
    expect(sent.get('a')?.state).toBe('failed');
    expect(sent.get('a')?.reason).toMatch(/^EXPIRED: /);
    expect(Date.now() - sent.get('a')!.since).toBeLessThan(1000);
    expect(counted).toMatchObject({ 'dmr_outbox_failed_total{reason="EXPIRED"}': 1, dmr_outbox_messages: 0 });
  });

  it('takes no more than it may hold, not even of many at once, and more when there is room', async () => {
    outbox.stop();
    outbox = begin({ maxMessages: 3 });
    const failures = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((id) => failureOf(add(id))));
    expect(failures.slice(0, 3)).toEqual([undefined, undefined, undefined]);
    for (const failure of failures.slice(3)) {
      expect(failure).toMatchObject({ status: 503, code: 'OUTBOX_FULL', retryAfterS: 30 });
    }
    expect([outbox.waiting, outbox.ok]).toEqual([3, false]);
    uplink.letThrough();
    await eventually(() => outbox.waiting === 0 && outbox.ok, FAST);
    await add('f');
  });

  it('keeps a place for nobody who could not be sealed', async () => {
    const strange = outbox.add(() => Promise.reject(new Error('no such recipient')), 'd');
    await expect(strange).rejects.toThrow('no such recipient');
    expect([outbox.waiting, outbox.ok]).toEqual([0, true]);
  });

  it('says when the disk does not take a message, and goes on when it does', async () => {
    const write = store.write.bind(store);
    store.write = () => Promise.reject(new RetryableError('STORAGE_FAILED', 'full'));
    expect(await failureOf(add('a'))).toMatchObject({ code: 'STORAGE_FAILED' });
    expect(outbox.waiting).toBe(0);
    store.write = write;
    await add('b');
    expect(outbox.waiting).toBe(1);
  });

  it('sends what the disk took and said it did not, which its chatbot is told to wait for', async () => {
    const write = store.write.bind(store);
    store.write = async (changes) => {
      await write(changes);
      throw new RetryableError('STORAGE_FAILED', 'fdatasync');
    };
    expect(await failureOf(add('a'))).toMatchObject({ code: 'STORAGE_FAILED' });
    expect([outbox.waiting, sent.get('a')?.state]).toEqual([1, 'waiting']);
    store.write = write;
    uplink.letThrough();
    await eventually(() => outbox.waiting === 0, FAST);
    expect([transmitted, sent.get('a')?.state]).toEqual([['a'], 'sent']);
  });

  it('takes none while the disk refuses what anybody writes', () => {
    const writable = jest.spyOn(store, 'writable', 'get').mockReturnValue(false);
    expect(outbox.ok).toBe(false);
    writable.mockReturnValue(true);
    expect(outbox.ok).toBe(true);
  });

  it('answers for a message only once it is on the disk, not merely committed', async () => {
    let flush: (() => void) | undefined;
    store.flushed = () => new Promise((resolve) => (flush = resolve));
    const added = jest.fn();
    const adding = add('a').then(added);
    await eventually(() => flush !== undefined, FAST);
    await new Promise(setImmediate);
    expect(sent.get('a')?.state).toBe('waiting');
    expect(added).not.toHaveBeenCalled();
    flush?.();
    await adding;
  });

  it('sends nothing once it was stopped', async () => {
    await add('a');
    outbox.stop();
    uplink.letThrough();
    await new Promise(setImmediate);
    expect(transmitted).toEqual([]);
  });

  it('holds no word that was not sealed', async () => {
    await add('a');
    const kept = ['outbox', 'outboxEnvelopes', 'sent'].flatMap((name) => store.database(name).range());
    expect(kept).toHaveLength(3);
    expect(Object.keys(kept[0]!.value as object).sort()).toEqual(['at', 'digest', 'id', 'recipientId']);
    expect(kept[1]!.value).toEqual(envelope('a', police));
  });
});
