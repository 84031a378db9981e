import { within } from '../../../lib/amqp/within';

describe('within', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  const never = new Promise<never>(() => undefined);

  it('is what the promise is, and leaves no timer behind', async () => {
    await expect(within(Promise.resolve(1), 1000, 'why')).resolves.toBe(1);
    await expect(within(Promise.reject(new Error('no')), 1000, 'why')).rejects.toThrow('no');
    expect(jest.getTimerCount()).toBe(0);
  });

  it('gives up in time and says on what', async () => {
    const waiting = expect(within(never, 1000, 'the broker is silent')).rejects.toMatchObject({
      code: 'TIMEOUT',
      retryable: true,
      message: 'the broker is silent (waited 1000 ms)',
    });
    await jest.advanceTimersByTimeAsync(999);
    expect(jest.getTimerCount()).toBe(1);
    await jest.advanceTimersByTimeAsync(1);
    await waiting;
    expect(jest.getTimerCount()).toBe(0);
  });
});
