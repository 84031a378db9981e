import { Lifetime } from '../../../lib/amqp/lifetime';
import { AnswerQueue } from '../../../lib/router/answer-queue';

describe('AnswerQueue', () => {
  let queue: AnswerQueue;
  let gone: Lifetime;

  beforeEach(() => {
    jest.useFakeTimers();
    queue = new AnswerQueue();
    gone = new Lifetime();
  });
  afterEach(() => void jest.useRealTimers());

  const next = (timeoutMs = 1000) => queue.next(timeoutMs, gone);

  it('gives an answer that came before anybody asked', async () => {
    queue.push('early');
    await expect(next()).resolves.toEqual({ answer: 'early' });
  });

  it('wakes who waits for one', async () => {
    const waiting = next();
    queue.push('in time');
    await expect(waiting).resolves.toEqual({ answer: 'in time' });
  });

  it('gives answers in the order of their arrival, one for each asking', async () => {
    const waiting = next();
    for (const answer of [1, 2, 3]) queue.push(answer);
    expect([await waiting, await next(), await next()].map((one) => one?.answer)).toEqual([1, 2, 3]);
  });

  it.each([undefined, null, false, 0])('tells the answer %p from none', async (answer) => {
    queue.push(answer);
    await expect(next()).resolves.toEqual({ answer });
  });

  it('gives up after the timeout and not before', async () => {
    const settled = jest.fn();
    void next(1000).then(settled);
    await jest.advanceTimersByTimeAsync(999);
    expect(settled).not.toHaveBeenCalled();
    await jest.advanceTimersByTimeAsync(1);
    expect(settled).toHaveBeenCalledWith(undefined);
  });

  it('keeps an answer that came after the timeout for the next asking', async () => {
    const waiting = next(10);
    await jest.advanceTimersByTimeAsync(10);
    await expect(waiting).resolves.toBeUndefined();
    queue.push('late');
    await expect(next(10)).resolves.toEqual({ answer: 'late' });
  });

  it('gives up at once when the consumer goes', async () => {
    const waiting = next();
    gone.end();
    await expect(waiting).resolves.toBeUndefined();
  });

  it('does not wait for a consumer that is gone, and still gives what is there', async () => {
    gone.end();
    await expect(next()).resolves.toBeUndefined();
    queue.push('there');
    await expect(next()).resolves.toEqual({ answer: 'there' });
  });

  it('leaves neither timer nor listener behind', async () => {
    const waiting = next();
    expect(jest.getTimerCount()).toBe(1);
    queue.push(1);
    await waiting;
    const given = next(5);
    await jest.advanceTimersByTimeAsync(5);
    await given;
    expect(jest.getTimerCount()).toBe(0);
    expect(gone.size).toBe(0);
  });
});
