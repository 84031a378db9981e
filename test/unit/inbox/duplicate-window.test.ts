import { randomUUID } from 'node:crypto';
import { RetryableError } from '../../../lib/errors';
import { DuplicateWindow, keyOf } from '../../../lib/inbox/duplicate-window';
import type { Envelope } from '../../../lib/protocol/envelope';
import { AgentStore } from '../../../lib/store/agent-store';
import { temporaryFolder } from '../../helpers/temporary-folder';
import { RecordingLog } from '../fakes';

const ID = '4f0e8c1a-3b52-4c7e-9d11-6a5b8f2d7c01';
const SPAN_MS = 60_000;

let dir: string;
let store: AgentStore;
let log: RecordingLog;
let window: DuplicateWindow;

beforeEach(async () => {
  dir = temporaryFolder();
  store = await AgentStore.open(dir, ID);
  log = new RecordingLog();
  window = new DuplicateWindow(store, SPAN_MS, log);
});
afterEach(async () => {
  jest.restoreAllMocks();
  await store.close();
});

const envelope = (senderId: string = randomUUID(), id: string = randomUUID()) =>
  ({ senderId, id }) as unknown as Envelope;
const noRoom = () => Promise.reject(new RetryableError('STORAGE_FAILED', 'no space'));

describe('the key of a message', () => {
  it('is made of its sender and its id, in whichever case they are written', () => {
    const [sender, id] = [randomUUID(), randomUUID()];
    expect(keyOf(envelope(sender, id))).toBe(keyOf(envelope(sender.toUpperCase(), id.toUpperCase())));
    const others = [envelope(id, sender), envelope(sender), envelope(undefined, id)];
    expect(new Set([envelope(sender, id), ...others].map(keyOf)).size).toBe(4);
  });
});

describe('DuplicateWindow', () => {
  it('tells the first time from the next, and what is done from what may be', async () => {
    expect(window.isDone('a')).toBe(false);
    await expect(window.begin('a')).resolves.toBe(false);
    await expect(window.begin('a')).resolves.toBe(true);
    expect(window.isDone('a')).toBe(false);
    await window.done('a');
    expect(window.isDone('a')).toBe(true);
    expect(window.isDone('b')).toBe(false);
    expect(window.size).toBe(1);
  });

  it('knows all of that after a restart', async () => {
    await window.begin('begun');
    await window.begin('done');
    await window.done('done');
    await store.close();
    store = await AgentStore.open(dir, ID);
    window = new DuplicateWindow(store, SPAN_MS, log);
    expect(window.isDone('done')).toBe(true);
    expect(window.isDone('begun')).toBe(false);
    await expect(window.begin('begun')).resolves.toBe(true);
  });

  it('forgets what is older than its span, however much that is, and nothing else', async () => {
    const now = Date.now();
    const clock = jest.spyOn(Date, 'now').mockReturnValue(now - SPAN_MS - 1);
    await Promise.all(Array.from({ length: 1000 }, (_, n) => window.begin(`old ${n}`)));
    clock.mockReturnValue(now - SPAN_MS);
    await window.begin('young');
    clock.mockReturnValue(now);
    // Done later, it keeps the age of its beginning.
    await window.done('old 7');
    expect(window.size).toBe(1001);
    await window.maintain();
    expect(window.size).toBe(1);
    expect(store.database('inbox-seen-by-time').count()).toBe(1);
    await expect(window.begin('young')).resolves.toBe(true);
    await expect(window.begin('old 7')).resolves.toBe(false);
  });

  it('leaves what is old to the next process when it stops, and writes what could not be written', async () => {
    const now = Date.now();
    const clock = jest.spyOn(Date, 'now').mockReturnValue(now - SPAN_MS - 1);
    await Promise.all(Array.from({ length: 1000 }, (_, n) => window.begin(`old ${n}`)));
    clock.mockReturnValue(now);
    const failing = jest.spyOn(store, 'write').mockImplementationOnce(noRoom);
    await window.done('taken');
    failing.mockClear();
    await Promise.all([window.maintain(), window.stop()]);
    expect(failing.mock.calls.length).toBeLessThanOrEqual(2);
    expect(window.size).toBeGreaterThanOrEqual(901); // of ten steps one at the most
    const next = new DuplicateWindow(store, SPAN_MS, log);
    expect(next.isDone('taken')).toBe(true);
    await next.stop();
    await next.maintain();
    expect(next.size).toBe(window.size);
  });

  it('forgets what is taken back, and only that', async () => {
    const begun = window.begin('a');
    await window.begin('b');
    await window.undo('a', begun);
    await window.undo('b', window.begin('b')); // which an earlier one had noted
    await window.undo('b', Promise.reject(new Error('the disk')));
    await window.undo('b', undefined);
    await window.undo('unknown', Promise.resolve(false));
    expect(window.size).toBe(1);
    await expect(window.begin('a')).resolves.toBe(false);
    await expect(window.begin('b')).resolves.toBe(true);
  });

  it('tells when the disk does not let it take something back', async () => {
    await window.begin('a');
    jest.spyOn(store, 'write').mockImplementation(noRoom);
    await window.undo('a', Promise.resolve(false));
    expect(log.at('warn')).toHaveLength(1);
    await expect(window.begin('a')).resolves.toBe(true);
  });

  it('lets nothing begin that the disk does not take', async () => {
    jest.spyOn(store, 'write').mockImplementation(noRoom);
    await expect(window.begin('a')).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    jest.restoreAllMocks();
    await expect(window.begin('a')).resolves.toBe(false);
  });

  it('remembers in memory what was done while the disk failed, and writes it down when it works', async () => {
    await window.begin('a');
    jest.spyOn(store, 'write').mockImplementation(noRoom);
    await window.done('a');
    expect(window.isDone('a')).toBe(true);
    expect(log.at('error')).toEqual([expect.stringContaining('in memory only')]);
    await window.maintain();
    expect(log.at('warn')).toHaveLength(1);
    jest.restoreAllMocks();
    await window.maintain();
    expect(new DuplicateWindow(store, SPAN_MS, log).isDone('a')).toBe(true);
  });
});
