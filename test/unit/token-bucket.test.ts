import { TokenBucket } from '../../lib/token-bucket';

let now: number;
const bucket = (perSecond: number, burst: number) => new TokenBucket(perSecond, burst, () => now);
const taken = (from: TokenBucket, tries: number) =>
  Array.from({ length: tries }, () => from.take()).filter(Boolean).length;

beforeEach(() => (now = 5000));

describe('a token bucket', () => {
  it('gives its burst at once and no more', () => {
    expect(taken(bucket(10, 20), 100)).toBe(20);
  });

  it('is refilled at its rate', () => {
    const limit = bucket(10, 20);
    taken(limit, 20);
    now += 99;
    expect(limit.take()).toBe(false);
    now += 1;
    expect(taken(limit, 5)).toBe(1);
    now += 1000;
    expect(taken(limit, 50)).toBe(10);
  });

  it('never holds more than its burst', () => {
    const limit = bucket(10, 20);
    now += 3_600_000;
    expect(taken(limit, 100)).toBe(20);
  });
});
