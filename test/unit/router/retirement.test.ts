import { EventEmitter } from 'node:events';
import type { AmqpConnection } from '../../../lib/amqp/connection';
import type { NodeRouter } from '../../../lib/router/node-router';
import { moveToDlq } from '../../../lib/router/retire';
import { Retirement } from '../../../lib/router/retirement';
import { FakePublisher, RecordingLog } from '../fakes';

const GRACE_MS = 60_000;

/** The queues of agents that left: how much waits in each, by agent. */
class FakeRouter {
  readonly waiting = new Map<string, number>();
  readonly deadLetters = new Map<string, number>();
  readonly calls: string[] = [];
  readonly listed = new Set<string>();
  readonly directory = { get: (agentId: string) => this.listed.has(agentId) || undefined };
  /** Happens while a queue is emptied. */
  meanwhile: (() => void) | undefined;
  failure: Error | undefined;

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

describe('Retirement', () => {
  it('moves what waits at once, and deletes nothing before the grace is over', async () => {
    router.waiting.set('a', 3);
    await expect(retirement.begin('a')).resolves.toEqual({ moved: 3, gone: false });
    jest.advanceTimersByTime(GRACE_MS - 1);
    await retirement.goOn();
    expect(router.calls).toEqual(['move a', 'move a']);
    expect(log.at('warn')).toEqual([expect.stringContaining('3 messages of agent a')]);
  });

  it('deletes empty queues once the grace is over, and then has done with the agent', async () => {
    await retirement.begin('a');
    jest.advanceTimersByTime(GRACE_MS);
    await retirement.goOn();
    await retirement.goOn();
    expect(router.calls).toEqual(['move a', 'move a', 'delete a']);
    expect(log.at('info')).toEqual(['the queues of agent a are deleted']);
  });

  it('moves what came in late before it deletes', async () => {
    await retirement.begin('a');
    router.waiting.set('a', 1);
    jest.advanceTimersByTime(GRACE_MS);
    await retirement.goOn();
    expect(router.calls.slice(1)).toEqual(['move a', 'delete a']);
    expect(router.deadLetters.get('a')).toBe(1);
  });

  it('goes on for as long as a dead letter lies there', async () => {
    router.waiting.set('a', 1);
    await retirement.begin('a');
    jest.advanceTimersByTime(GRACE_MS);
    await retirement.goOn();
    router.deadLetters.set('a', 0);
    await retirement.goOn();
    await retirement.goOn();
    expect(router.calls.filter((call) => call === 'delete a')).toHaveLength(2);
  });

  it('counts the grace from the first time an agent was missing', async () => {
    await retirement.begin('a');
    jest.advanceTimersByTime(GRACE_MS);
    await expect(retirement.begin('a')).resolves.toEqual({ moved: 0, gone: true });
  });

  it('leaves an agent alone that is back, and begins anew when it leaves again', async () => {
    await retirement.begin('a');
    jest.advanceTimersByTime(GRACE_MS);
    retirement.cancel('a');
    await retirement.goOn();
    expect(router.calls).toEqual(['move a']);
    await expect(retirement.begin('a')).resolves.toEqual({ moved: 0, gone: false });
  });

  it.each([
    ['is told so', () => retirement.cancel('b')],
    ['is only listed so far', () => router.listed.add('b')],
  ])("moves nothing of an agent that comes back during another's step and %s", async (_how, comeBack) => {
    await retirement.begin('a');
    await retirement.begin('b');
    router.waiting.set('b', 1);
    router.meanwhile = comeBack;
    await retirement.goOn();
    expect(router.calls).toEqual(['move a', 'move b', 'move a']);
    expect(router.waiting.get('b')).toBe(1);
  });

  it('does not delete the queues of an agent that comes back during its own step', async () => {
    await retirement.begin('a');
    jest.advanceTimersByTime(GRACE_MS);
    router.meanwhile = () => router.listed.add('a');
    await retirement.goOn();
    expect(router.calls).toEqual(['move a', 'move a']);
  });

  it('does not begin with an agent that is back already, and counts its grace anew later', async () => {
    router.listed.add('a');
    await expect(retirement.begin('a')).resolves.toEqual({ moved: 0, gone: false });
    jest.advanceTimersByTime(GRACE_MS);
    router.listed.delete('a');
    await retirement.goOn();
    await expect(retirement.begin('a')).resolves.toEqual({ moved: 0, gone: false });
    expect(router.calls).toEqual(['move a']);
  });

  it('with no grace deletes in the same step', async () => {
    retirement = new Retirement(router as unknown as NodeRouter, 0, log);
    await expect(retirement.begin('a')).resolves.toEqual({ moved: 0, gone: true });
  });

  it('tells who began it that the broker is away, and goes on later', async () => {
    router.failure = new Error('no broker');
    await expect(retirement.begin('a')).rejects.toThrow('no broker');
    await retirement.begin('b').catch(() => undefined);
    jest.advanceTimersByTime(GRACE_MS);
    await retirement.goOn();
    expect(log.at('warn')).toHaveLength(2);
    router.failure = undefined;
    await retirement.goOn();
    expect(router.calls).toEqual(expect.arrayContaining(['delete a', 'delete b']));
  });

  it('does nothing for nobody', async () => {
    retirement.cancel('a');
    await retirement.goOn();
    expect(router.calls).toEqual([]);
  });
});

/** A connection whose channels know one queue with this many messages. */
function queueOf(messageCount: number) {
  const acked: unknown[] = [];
  let next = 0;
  const channel = Object.assign(new EventEmitter(), {
    checkQueue: () => Promise.resolve({ messageCount }),
    get: () => Promise.resolve({ content: Buffer.from('{}'), properties: { messageId: `m${next++}` } }),
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
});
