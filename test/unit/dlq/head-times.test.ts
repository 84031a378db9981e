import { HeadTimes } from '../../../lib/dlq/head-times';

const TTL = 100_000;
let now: number;
let heads: HeadTimes;
let looks: number;

beforeEach(() => {
  now = 1_000_000;
  looks = 0;
  heads = new HeadTimes(() => now);
});

/** A round of whoever watches: counts, and looks when it must. */
function round(ready: number, head: { since: number | undefined; returned?: boolean } | undefined, inMs = 10_000) {
  now += inMs;
  if (!heads.counted('queue', ready, TTL)) return heads.ageOf('queue');
  looks += 1;
  heads.looked('queue', head && { returned: false, ...head });
  return heads.ageOf('queue');
}

describe('the age of the first message', () => {
  it('is 0 in an empty queue, and not known before anybody looked', () => {
    expect(heads.ageOf('queue')).toBeUndefined();
    expect(round(0, undefined)).toBe(0);
    expect(looks).toBe(0);
  });

  it('is looked for once, and goes on by itself however much comes', () => {
    const since = now - 5000;
    expect(round(3, { since })).toBe(15);
    expect(round(3, undefined)).toBe(25);
    expect(round(7, undefined)).toBe(35);
    expect(looks).toBe(1);
  });

  it('needs no look where the queue was empty: what is there came since', () => {
    round(0, undefined);
    expect(round(4, undefined)).toBe(10);
    expect(round(9, undefined)).toBe(20);
    expect(looks).toBe(0);
  });

  it('needs a look where what seemed empty may have been in hands', () => {
    heads.counted('queue', 0, TTL, true);
    expect(heads.counted('queue', 4, TTL, true)).toBe(true);
  });

  it('is looked for again when something was taken out, and when the first one must have expired', () => {
    round(3, { since: now });
    expect(round(2, { since: now })).toBe(10);
    expect(looks).toBe(2);
    expect(round(2, { since: now + TTL }, TTL)).toBe(0);
    expect(looks).toBe(3);
  });

  it('is looked for when a consumer went, and not while it is there', () => {
    round(3, { since: now });
    heads.consumed('queue');
    expect(heads.ageOf('queue')).toBeUndefined();
    round(3, { since: now });
    expect(looks).toBe(2);
  });

  it('wears no message out, whatever the counts and the heads do', () => {
    for (let time = 0; time < 1000; time++) {
      round(5, { since: now - TTL }, TTL / 500); // each has expired by the next round
      heads.consumed('queue');
    }
    // Two lifetimes: two looks at first, then four in each.
    expect(looks).toBeLessThanOrEqual(2 + 2 * 4);
    expect(looks).toBeGreaterThan(2);
  });

  it('is not looked for again in the queue of an agent whose head had been given out, until that was empty', () => {
    round(5, { since: now, returned: true });
    expect(round(4, undefined)).toBeUndefined();
    expect(round(3, undefined, TTL)).toBeUndefined();
    expect(looks).toBe(1);
    round(0, undefined);
    round(3, undefined);
    round(2, { since: now });
    expect(looks).toBe(2);
  });

  it('is looked for again where order counts less', () => {
    heads.counted('queue', 5, TTL, true);
    heads.looked('queue', { since: now, returned: true });
    expect(heads.counted('queue', 4, TTL, true)).toBe(true);
  });

  it('counts from the look where the message does not say when it began', () => {
    round(1, { since: undefined });
    expect(round(1, undefined)).toBe(10);
  });

  it('is forgotten with its queue', () => {
    round(1, { since: now });
    heads.forget('queue');
    expect(heads.ageOf('queue')).toBeUndefined();
  });
});
