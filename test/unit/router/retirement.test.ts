import { EventEmitter } from 'node:events';
import type { AmqpConnection } from '../../../lib/amqp/connection';
import type { NodeRouter } from '../../../lib/router/node-router';
import { moveToDlq } from '../../../lib/router/retire';
import { Retirement } from '../../../lib/router/retirement';
import { FakePublisher, RecordingLog } from '../fakes';

const GRACE_MS = 600_000;
/** After that nothing is on its way into the dead-letter queue any more. */
const SETTLE_MS = 300_000;

/** The queues of agents that left: how much waits in each, by agent. */
class FakeRouter {
  readonly waiting = new Map<string, number>();
  readonly deadLetters = new Map<string, number>();
  readonly calls: string[] = [];
  departed: { id: string; leftAt: number }[] = [];
  /** Happens while a queue is emptied. */
  meanwhile: (() => void) | undefined;
  failure: Error | undefined;

  leave(id: string, leftAt = Date.now()): void {
    this.comeBack(id);
    this.departed.push({ id, leftAt });
  }

  comeBack(id: string): void {
    this.departed = this.departed.filter((agent) => agent.id !== id);
  }

  moveToDlq(agentId: string): Promise<number> {
    this.calls.push(`move ${agentId}`);
    if (this.failure) return Promise.reject(this.failure);
    const moved = this.waiting.get(agentId) ?? 0;
    this.waiting.set(agentId, 0);
    this.meanwhile?.();
    this.deadLetters.set(agentId, (this.deadLetters.get(agentId) ?? 0) + moved);
    return Promise.resolve(moved);
  }

  deleteQueues(agentId: string): Promise<boolean> {
    this.calls.push(`delete ${agentId}`);
    return Promise.resolve((this.deadLetters.get(agentId) ?? 0) === 0);
  }
}

let router: FakeRouter;
let log: RecordingLog;
let retirement: Retirement;

beforeEach(() => {
  jest.useFakeTimers();
  router = new FakeRouter();
  log = new RecordingLog();
  retirement = new Retirement(router as unknown as NodeRouter, GRACE_MS, log);
});
afterEach(() => void jest.useRealTimers());

async function goOnAfter(ms: number): Promise<void> {
  jest.advanceTimersByTime(ms);
  await retirement.goOn();
}

describe('Retirement', () => {
  it('leaves the queue alone until the grace is over, for an agent that comes back', async () => {
    router.leave('a');
    router.waiting.set('a', 3);
    await goOnAfter(GRACE_MS - 1);
    expect(retirement.due()).toEqual([]);
    expect(router.calls).toEqual([]);
    router.comeBack('a');
    await goOnAfter(GRACE_MS);
    expect(router.calls).toEqual([]);
  });

  it('then moves what waits, and deletes once everything has settled', async () => {
    router.leave('a');
    router.waiting.set('a', 3);
    await goOnAfter(GRACE_MS);
    expect(log.at('warn')).toEqual([expect.stringContaining('3 messages of agent a')]);
    await goOnAfter(SETTLE_MS - 1);
    expect(router.calls).toEqual(['move a', 'move a']);
    router.deadLetters.set('a', 0);
    await goOnAfter(1);
    expect(router.calls.slice(2)).toEqual(['move a', 'delete a']);
    expect(log.at('info')).toEqual(['the queues of agent a are deleted']);
    await goOnAfter(SETTLE_MS);
    expect(router.calls).toHaveLength(4);
  });

  it('moves what came in late before it deletes', async () => {
    router.leave('a');
    await goOnAfter(GRACE_MS);
    router.waiting.set('a', 1);
    await goOnAfter(SETTLE_MS);
    expect(router.calls.slice(1)).toEqual(['move a', 'delete a']);
    expect(router.deadLetters.get('a')).toBe(1);
  });

  it('goes on for as long as a dead letter lies there', async () => {
    router.leave('a');
    router.waiting.set('a', 1);
    await goOnAfter(GRACE_MS);
    await goOnAfter(SETTLE_MS);
    router.deadLetters.set('a', 0);
    await goOnAfter(60_000);
    await goOnAfter(60_000);
    expect(router.calls.filter((call) => call === 'delete a')).toHaveLength(2);
  });

  it('goes by the departure, not by when this node heard of it', () => {
    router.leave('a', Date.now() - GRACE_MS);
    expect(retirement.due()).toEqual(['a']);
  });

  it('goes by when this node heard of it where a clock was fast', () => {
    router.leave('a', Date.now() + 365 * 86_400_000);
    expect(retirement.due()).toEqual([]);
    jest.advanceTimersByTime(GRACE_MS);
    expect(retirement.due()).toEqual(['a']);
  });

  it('begins anew with an agent that came back and left again', async () => {
    router.leave('a');
    await goOnAfter(GRACE_MS - 1);
    router.comeBack('a');
    router.leave('a');
    await goOnAfter(GRACE_MS - 1);
    expect(router.calls).toEqual([]);
    await goOnAfter(1);
    expect(router.calls).toEqual(['move a']);
  });

  it("moves nothing of an agent that comes back during another's step", async () => {
    router.leave('a');
    router.leave('b');
    router.waiting.set('b', 1);
    router.meanwhile = () => router.comeBack('b');
    await goOnAfter(GRACE_MS);
    expect(router.calls).toEqual(['move a']);
    expect(router.waiting.get('b')).toBe(1);
  });

  it('does not delete the queues of an agent that comes back during its own step', async () => {
    router.leave('a');
    await goOnAfter(GRACE_MS);
    router.meanwhile = () => router.comeBack('a');
    await goOnAfter(SETTLE_MS);
    expect(router.calls).toEqual(['move a', 'move a']);
  });

  it('moves at once when an operator says so, and deletes as late as ever', async () => {
    router.leave('a');
    router.waiting.set('a', 2);
    await expect(retirement.step('a')).resolves.toEqual({ moved: 0, gone: false });
    await expect(retirement.finish('a')).resolves.toEqual({ moved: 2, gone: false });
    expect(router.calls).toEqual(['move a']);
  });

  it('touches nothing of an agent that is listed, or of whom nobody knows', async () => {
    await expect(retirement.finish('a')).resolves.toEqual({ moved: 0, gone: false });
    expect(router.calls).toEqual([]);
  });

  it('says of an agent whose queues are deleted that they are', async () => {
    retirement = new Retirement(router as unknown as NodeRouter, 0, log);
    router.leave('a');
    await expect(retirement.step('a')).resolves.toEqual({ moved: 0, gone: true });
    await expect(retirement.step('a')).resolves.toEqual({ moved: 0, gone: true });
    expect(router.calls).toEqual(['move a', 'delete a']);
  });

  it('goes on later, with everybody, when the broker is away', async () => {
    router.leave('a');
    router.leave('b');
    router.failure = new Error('no broker');
    await goOnAfter(GRACE_MS);
    expect(log.at('warn')).toHaveLength(2);
    router.failure = undefined;
    await goOnAfter(1000);
    await goOnAfter(SETTLE_MS);
    expect(router.calls).toEqual(expect.arrayContaining(['delete a', 'delete b']));
  });
});

/** A connection whose channels know one queue with this many messages, and hear nothing of it after so many were got. */
function queueOf(messageCount: number, answers = Infinity) {
  const acked: unknown[] = [];
  let next = 0;
  const channel = Object.assign(new EventEmitter(), {
    checkQueue: () => Promise.resolve({ messageCount }),
    get: () =>
      next < answers
        ? Promise.resolve({ content: Buffer.from('{}'), properties: { messageId: `m${next++}` } })
        : new Promise(() => undefined),
    ack: (message: { properties: { messageId: string } }) => acked.push(message.properties.messageId),
    close: () => Promise.resolve(),
  });
  return { acked, connection: { channel: () => Promise.resolve(channel) } as unknown as AmqpConnection };
}

describe('moveToDlq', () => {
  it('moves all that waits', async () => {
    const { acked, connection } = queueOf(3);
    await expect(moveToDlq(connection, new FakePublisher().asPublisher, 'a')).resolves.toBe(3);
    expect(acked).toEqual(['m0', 'm1', 'm2']);
  });

  it('stops before the next message when the agent is back', async () => {
    const { acked, connection } = queueOf(3);
    const publisher = new FakePublisher();
    const hasLeft = () => publisher.confirmed.length < 2;
    await expect(moveToDlq(connection, publisher.asPublisher, 'a', hasLeft)).resolves.toBe(2);
    expect(acked).toEqual(['m0', 'm1']);
    expect(publisher.attempts.map(({ queue }) => queue)).toEqual(['a.dlq', 'a.dlq']);
  });

  it('takes nothing out of the queue whose copy was not confirmed', async () => {
    const { acked, connection } = queueOf(3);
    const publisher = new FakePublisher();
    const hasLeft = () => {
      if (acked.length === 1) publisher.failNext(new Error('no confirm'));
      return true;
    };
    await expect(moveToDlq(connection, publisher.asPublisher, 'a', hasLeft)).rejects.toThrow('no confirm');
    expect(acked).toEqual(['m0']);
    expect(publisher.confirmed).toHaveLength(1);
  });

  it('ends, and leaves the rest for later, where the queue answers no more', async () => {
    jest.useFakeTimers();
    const { acked, connection } = queueOf(3, 2);
    const moving = moveToDlq(connection, new FakePublisher().asPublisher, 'a').catch((error: unknown) => error);
    await jest.advanceTimersByTimeAsync(5000);
    expect(await moving).toMatchObject({ code: 'TIMEOUT', retryable: true });
    expect(acked).toEqual(['m0', 'm1']);
    jest.useRealTimers();
  });
});
