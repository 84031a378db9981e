import { dlqName, VALIDATION_FAILURES } from '../../../lib/amqp/topology';
import type { QueueLook } from '../../../lib/amqp/admin';
import { showQueues } from '../../../lib/dlq/queue-gauges';
import { QueueWatch } from '../../../lib/dlq/queue-watch';
import { RetryableError } from '../../../lib/errors';
import type { NodeRouter } from '../../../lib/router/node-router';
import { countingMetrics, RecordingLog } from '../fakes';
import { seriesWith } from '../../helpers/series';

const TTL = { agentTtlMs: 100_000, dlqTtlMs: 100_000, validationFailuresTtlMs: 100_000 };
const [TAX, POLICE] = ['tax', 'police'] as const;

/** A node whose broker answers for each queue what a test says, or fails. */
function setUp() {
  const queues = new Map<string, QueueLook | Error>();
  /** Queues that only seem to be empty. */
  const unsure = new Set<string>();
  const confirmEmpty = (queue: string) => (unsure.has(queue) ? Promise.reject(silence) : Promise.resolve());
  for (const queue of [TAX, dlqName(TAX), POLICE, dlqName(POLICE), VALIDATION_FAILURES])
    queues.set(queue, { ready: 1, consumers: 0 });
  const asked: string[] = [];
  const look = (queue: string) => {
    asked.push(queue);
    const answer = queues.get(queue);
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  };
  const listed = [{ id: TAX }, { id: POLICE }];
  const directory = { list: () => listed, get: (id: string) => listed.find((agent) => agent.id === id) };
  const departed: { id: string }[] = [];
  const router = { directory, departed, look, confirmEmpty, isAsIs: () => false } as unknown as NodeRouter;
  const log = new RecordingLog();
  return { queues, unsure, asked, log, listed, departed, watch: new QueueWatch(router, TTL, log) };
}

const silence = new RetryableError('TIMEOUT', 'RabbitMQ does not answer');
const numbers = async (watch: QueueWatch) =>
  Object.fromEntries((await watch.count()).map(({ queue, messages }) => [queue, messages]));

describe('a count of all queues', () => {
  it('leaves out one that does not answer, says so once, and knows the others', async () => {
    const { queues, watch, log } = setUp();
    queues.set(dlqName(TAX), silence);
    queues.set(VALIDATION_FAILURES, silence);
    const others = { [TAX]: 1, [POLICE]: 1, [dlqName(POLICE)]: 1 };
    expect(await numbers(watch)).toEqual(others);
    expect(await numbers(watch)).toEqual(others);
    expect(watch.unanswered).toEqual(new Set([dlqName(TAX), VALIDATION_FAILURES]));
    expect(log.at('warn')).toHaveLength(2);
    queues.set(dlqName(TAX), { ready: 7, consumers: 0 });
    expect(await numbers(watch)).toMatchObject({ [dlqName(TAX)]: 7 });
  });

  it('believes that a queue which held something is empty when the queue says so itself', async () => {
    const { queues, unsure, watch } = setUp();
    await watch.count();
    unsure.add(dlqName(TAX));
    for (const queue of [dlqName(TAX), dlqName(POLICE)]) queues.set(queue, { ready: 0, consumers: 0 });
    for (let count = 0; count < 2; count++) {
      expect(await numbers(watch)).toEqual({ [TAX]: 1, [POLICE]: 1, [dlqName(POLICE)]: 0, [VALIDATION_FAILURES]: 1 });
      expect(watch.unanswered).toEqual(new Set([dlqName(TAX)]));
    }
    unsure.clear();
    expect(await numbers(watch)).toMatchObject({ [dlqName(TAX)]: 0 });
  });

  it('remembers an agent that left while one of its queues does not answer', async () => {
    const { queues, watch, listed } = setUp();
    await watch.count();
    listed.shift();
    queues.delete(TAX);
    queues.set(dlqName(TAX), silence);
    await watch.count();
    queues.set(dlqName(TAX), { ready: 3, consumers: 0 });
    expect(await numbers(watch)).toMatchObject({ [dlqName(TAX)]: 3 });
  });

  it('asks once an hour for the queues of those who left that are gone, and at once when they are listed again', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    const { queues, watch, listed, departed, asked } = setUp();
    departed.push(listed.shift() as { id: string });
    for (const queue of [TAX, dlqName(TAX)]) queues.delete(queue);
    const timesAsked = async () => {
      asked.length = 0;
      await watch.count();
      return asked.filter((queue) => queue === dlqName(TAX)).length;
    };
    expect([await timesAsked(), await timesAsked(), await timesAsked()]).toEqual([1, 0, 0]);
    jest.advanceTimersByTime(3_600_000);
    expect([await timesAsked(), await timesAsked()]).toEqual([1, 0]);
    listed.push(...(departed.splice(0) as typeof listed));
    expect([await timesAsked(), await timesAsked()]).toEqual([1, 1]);
    jest.useRealTimers();
  });

  it('fails when nothing can be asked at all', async () => {
    const { queues, watch } = setUp();
    for (const queue of queues.keys()) queues.set(queue, new RetryableError('BROKER_UNAVAILABLE', 'away'));
    await expect(watch.count()).rejects.toMatchObject({ code: 'BROKER_UNAVAILABLE' });
  });

  it.each([
    ['does not answer', silence],
    ['somebody goes through', { ready: 0, consumers: 1 }],
  ])('shows of one that %s what it said before', async (_what, look) => {
    const { queues, watch } = setUp();
    const { metrics, counted } = countingMetrics([TAX, POLICE]);
    const clear = jest.fn();
    metrics.attach(
      (name, _method, labels, value) => void (counted[`${name} ${labels?.agent ?? ''}`] = value),
      seriesWith({ clear }),
    );
    showQueues(metrics, await watch.count(), () => true, TTL);
    queues.set(dlqName(TAX), look);
    queues.set(VALIDATION_FAILURES, look);
    showQueues(metrics, await watch.count(), () => true, TTL);
    expect(clear).not.toHaveBeenCalledWith('dmr_dlq_messages');
    expect(counted).toMatchObject({ 'dmr_dlq_messages tax': 1, 'dmr_validation_failures_messages ': 1 });
  });
});

describe('the dead letters of agents that left', () => {
  const GAUGES = ['dmr_dlq_departed_messages', 'dmr_dlq_departed_oldest_seconds'] as const;

  /** Shows what a count found, and what the gauges say then; `ages` are those of DLQs. */
  function setUpGauges() {
    const { queues, watch, listed, departed } = setUp();
    const { metrics, counted } = countingMetrics([TAX]);
    metrics.attach(
      (name, _method, labels, value) => void (counted[name + Object.keys(labels ?? {}).join()] = value),
      seriesWith({
        clear: (name) => void delete counted[name],
        failed: (_name, error) => {
          throw error;
        },
      }),
    );
    const show = async (ages: Record<string, number> = {}) => {
      const rows = await watch.count();
      for (const row of rows) row.oldestSeconds = ages[row.queue] ?? null;
      const isListed = (id: string) => listed.some((agent) => agent.id === id);
      showQueues(metrics, rows, isListed, TTL, watch.unanswered);
      return GAUGES.map((name) => counted[name]);
    };
    return { queues, listed, departed, counted, show };
  }

  it('are counted together, under no label, and leave with their queues', async () => {
    const { queues, listed, departed, counted, show } = setUpGauges();
    expect(await show()).toEqual([0, 0]);
    departed.push(...listed.splice(0), { id: 'school' });
    queues.set(dlqName(TAX), { ready: 3, consumers: 0 });
    queues.set(dlqName('school'), { ready: 4, consumers: 0 });
    expect(await show({ [dlqName(TAX)]: 50, [dlqName('school')]: 70 })).toEqual([8, 70]);
    expect(Object.keys(counted).filter((name) => /departed.*agent/.test(name))).toEqual([]);
    for (const queue of [...queues.keys()]) if (queue !== VALIDATION_FAILURES) queues.delete(queue);
    expect(await show()).toEqual([0, 0]);
  });

  it.each([
    ['does not answer', silence],
    ['somebody goes through', { ready: 0, consumers: 1 }],
  ])('are as many as before while one of the queues %s', async (_what, look) => {
    const { queues, listed, departed, show } = setUpGauges();
    departed.push(...listed.splice(0));
    expect((await show())[0]).toBe(2);
    queues.set(dlqName(TAX), look);
    expect((await show())[0]).toBe(2);
  });

  it('have no age on a node that does not look', async () => {
    const { listed, departed, show } = setUpGauges();
    departed.push(...listed.splice(0));
    expect(await show({ [dlqName(TAX)]: 5 })).toEqual([2, 5]);
    expect(await show()).toEqual([2, undefined]);
  });
});
