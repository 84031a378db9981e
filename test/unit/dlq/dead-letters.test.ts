import { dlqName } from '../../../lib/amqp/topology';
import { DeadLetters } from '../../../lib/dlq/dead-letters';
import { DlqOperations } from '../../../lib/dlq/operations';
import { RetryableError } from '../../../lib/errors';
import type { NodeRouter } from '../../../lib/router/node-router';
import { countingMetrics, FakePublisher, RecordingLog } from '../fakes';
import { FakeQueue } from './fake-queue';

const TTL = { agentTtlMs: 100_000, dlqTtlMs: 100_000, validationFailuresTtlMs: 100_000 };
const AGENT = '3f1a5c1e-6f0e-4c0b-9d0f-0a1b2c3d4e01';
const DLQ = dlqName(AGENT);

let queue: FakeQueue;
let publisher: FakePublisher;
let letters: DeadLetters;

beforeEach(() => {
  queue = new FakeQueue();
  publisher = new FakePublisher();
  letters = new DeadLetters(queue.connection, publisher.asPublisher, TTL, new RecordingLog());
});

const ids = () => queue.lying.map(({ id }) => id);
const deadSince = (ageMs: number) => ({ 'x-dmr-dead-at': new Date(Date.now() - ageMs).toISOString() });

describe('a message that was looked at too often', () => {
  const worn = { 'x-delivery-count': 10 };

  it('is renewed for what is left of its lifetime', async () => {
    queue.put('a', { ...worn, ...deadSince(40_000) });
    await letters.peek(DLQ, 1, () => undefined);
    expect(publisher.confirmed).toMatchObject([{ queue: DLQ, messageId: 'a' }]);
    expect(publisher.confirmed[0]?.expirationMs).toBeLessThanOrEqual(60_000);
    expect(publisher.confirmed[0]?.expirationMs).toBeGreaterThan(50_000);
  });

  it('is not deleted by that where its queue keeps it longer than ours would', async () => {
    queue.put('a', { ...worn, ...deadSince(200_000) });
    await letters.peek(DLQ, 1, () => undefined);
    expect(publisher.confirmed).toHaveLength(1);
    expect(publisher.confirmed[0]?.expirationMs).toBeUndefined();
  });

  it('keeps its place in the queue of an agent', async () => {
    queue.put('a', worn).put('b');
    await letters.head(AGENT);
    expect(publisher.attempts).toEqual([]);
    expect(ids()).toEqual(['a', 'b']);
  });
});

describe('a look at the head of a queue', () => {
  it('is none where a consumer has come', async () => {
    queue.put('a').put('b');
    queue.others = 1;
    await expect(letters.head(AGENT)).rejects.toMatchObject({ code: 'QUEUE_BUSY' });
    expect(queue.lying.map(({ redelivered }) => redelivered)).toEqual([false, false]);
  });

  it('takes all that had come back before, and hardly more', async () => {
    for (let place = 0; place < 300; place++) queue.put(`${place}`, {}, {}, place < 5);
    await letters.head(AGENT);
    expect(queue.lying.filter(({ redelivered }) => redelivered)).toHaveLength(17);
  });

  it('waits for nothing that a consumer took meanwhile', async () => {
    queue.put('a').put('b');
    queue.onReturn = () => {
      queue.onReturn = () => undefined;
      queue.others = 1;
      queue.lying = [];
    };
    const began = jest.spyOn(queue, 'look');
    await letters.head(AGENT);
    expect(began.mock.calls.length).toBeLessThan(10);
  });
});

describe('as the node stops', () => {
  const everything = { by: 'all', matches: () => true } as const;

  it('a replay ends with what is under way, and says how far it came', async () => {
    for (let place = 0; place < 300; place++) queue.put(`${place}`);
    const stopped: Promise<void>[] = [];
    const done = await letters.replay(AGENT, everything, { note: () => void stopped.push(letters.stop()) });
    await Promise.all(stopped);
    expect(done).toMatchObject({ failed: 0, complete: false, error: { code: 'NODE_STOPPING' } });
    expect(done.replayed).toBe(publisher.confirmed.length);
    expect(done.replayed).toBeLessThan(300);
    expect(queue.lying).toHaveLength(300 - done.replayed);
    expect(done.left).toBe(queue.lying.length);
  });

  it('a look that came to its end before is an answer, one that did not is refused, and so is what begins later', async () => {
    queue.put('a').put('b');
    const describe = (message: { properties: { messageId?: unknown } }) => {
      void letters.stop();
      return message.properties.messageId;
    };
    await expect(letters.peek(DLQ, 1, describe)).resolves.toEqual(['a']);
    await expect(letters.peek(DLQ, 1, describe)).rejects.toMatchObject({ code: 'NODE_STOPPING', retryable: true });
    const others = new DeadLetters(queue.connection, publisher.asPublisher, TTL, new RecordingLog());
    await expect(others.peek(DLQ, 2, () => void others.stop())).rejects.toMatchObject({ code: 'NODE_STOPPING' });
    expect(ids()).toEqual(['a', 'b']);
  });

  it('a copy that is not confirmed is waited for no longer than five seconds', async () => {
    jest.useFakeTimers();
    queue.put('a');
    const confirm = publisher.holdNext();
    const replaying = letters.replay(AGENT, everything, {});
    await jest.advanceTimersByTimeAsync(10);
    expect(publisher.attempts).toHaveLength(1);
    const ended = jest.fn();
    const stopped = letters.stop().then(ended);
    await jest.advanceTimersByTimeAsync(4900);
    expect(ended).not.toHaveBeenCalled();
    await jest.advanceTimersByTimeAsync(200);
    await stopped;
    jest.useRealTimers();
    confirm();
    await expect(replaying).resolves.toMatchObject({ replayed: 1, left: 0 });
  });
});

describe('a queue that somebody else goes through', () => {
  beforeEach(() => {
    queue.others = 1;
    queue.isLocked = true;
  });

  const everything = { by: 'all', matches: () => true } as const;

  it('is busy, and not empty, while all of it is in those hands', async () => {
    const tries = [letters.purge(DLQ, everything, {}), letters.find(DLQ, 'a', () => undefined)];
    for (const done of await Promise.allSettled(tries)) expect(done).toMatchObject({ reason: { code: 'QUEUE_BUSY' } });
    queue.isLocked = false; // its lock went just now
    await expect(letters.purge(DLQ, everything, {})).rejects.toMatchObject({ code: 'QUEUE_BUSY' });
  });
});

describe('a queue that somebody else looks at', () => {
  const everything = { by: 'all', matches: () => true } as const;
  let refusals: number;

  beforeEach(() => {
    queue.put('a');
    queue.isLocked = true;
    refusals = 0;
    queue.onRefusal = () => void (refusals += 1);
  });

  it('is waited for by an operator', async () => {
    queue.onRefusal = () => {
      refusals += 1;
      queue.isLocked = refusals < 3;
    };
    expect(await letters.purge(DLQ, everything, {})).toMatchObject({ purged: 1, complete: true });
    expect(refusals).toBe(3);
  });

  it('is not waited for by who only wants its head', async () => {
    await expect(letters.head(DLQ)).rejects.toMatchObject({ code: 'QUEUE_BUSY' });
    expect(refusals).toBe(1);
  });
});

describe('what was interrupted', () => {
  const everything = { by: 'all', matches: () => true } as const;
  const interrupted = { complete: false, left: null, error: { code: 'BROKER_UNAVAILABLE' } };

  beforeEach(() => {
    for (const id of ['a', 'b', 'c', 'd']) queue.put(id);
    queue.losesAt = 'b';
  });

  it.each(['replay', 'purge'] as const)('answers what it has done: a %s', async (what) => {
    const noted: string[] = [];
    const options = { note: (id: string) => void noted.push(id) };
    const done = await letters[what](what === 'purge' ? DLQ : AGENT, everything, options);
    expect(done).toMatchObject(interrupted);
    expect(noted.length).toBeGreaterThanOrEqual(2);
    expect('purged' in done ? done.purged : done.replayed).toBe(noted.length);
  });

  it('is thrown where it has done nothing', async () => {
    const channel = jest
      .spyOn(queue.connection, 'channel')
      .mockRejectedValue(new RetryableError('BROKER_UNAVAILABLE', ''));
    await expect(letters.purge(DLQ, everything, {})).rejects.toMatchObject({ code: 'BROKER_UNAVAILABLE' });
    channel.mockRestore();
  });

  it('is in the log and in the metrics', async () => {
    const { metrics, counted } = countingMetrics([AGENT]);
    const log = new RecordingLog();
    const router = { deadLetters: letters, directory: { get: () => ({}) }, trail: { note: () => undefined } };
    const operations = new DlqOperations(router as unknown as NodeRouter, metrics, log);
    await operations.purge({ agentId: AGENT, all: true }, 'node');
    expect(log.lines).toMatchObject([{ message: 'messages purged', context: interrupted }]);
    expect(counted[`dmr_dlq_purged_total{agent="${AGENT}"}`]).toBeGreaterThanOrEqual(2);
  });
});
