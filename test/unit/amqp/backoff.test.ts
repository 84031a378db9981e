import { backoffMs } from '../../../lib/amqp/backoff';

afterEach(() => jest.restoreAllMocks());

describe('backoffMs', () => {
  it('doubles up to its bound', () => {
    const waits = [1, 2, 3, 4, 5, 6, 7, 100].map((failed) => backoffMs(failed, 1000, 30_000, false));
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  });

  it('is never more than its bound, even when the base is', () => {
    expect(backoffMs(1, 5000, 100, false)).toBe(100);
  });

  it('stays a number that a timer takes after a week of failures', () => {
    expect(backoffMs(1_000_000, 250, 30_000)).toBeLessThanOrEqual(30_000);
    expect(backoffMs(Number.MAX_SAFE_INTEGER, 1, Number.MAX_SAFE_INTEGER, false)).toBe(2 ** 30);
  });

  it.each([
    [0, 4000],
    [0.5, 6000],
    [1 - Number.EPSILON, 8000],
  ])('with jitter is drawn from the upper half: %d gives %d', (drawn, expected) => {
    jest.spyOn(Math, 'random').mockReturnValue(drawn);
    expect(backoffMs(4, 1000, 30_000)).toBe(expected);
  });

  it('is whole milliseconds', () => {
    jest.spyOn(Math, 'random').mockReturnValue(1 / 3);
    expect(Number.isInteger(backoffMs(3, 333, 30_000))).toBe(true);
  });

  it('draws differently for each caller', () => {
    expect(new Set(Array.from({ length: 50 }, () => backoffMs(10, 1000, 30_000))).size).toBeGreaterThan(1);
  });
});
