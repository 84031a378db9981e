import { Refusals } from '../../../lib/amqp/refusals';

describe('Refusals', () => {
  let now: number;
  let refusals: Refusals;

  beforeEach(() => {
    now = 100_000;
    refusals = new Refusals(() => now);
  });

  /** Nacks each 50 ms for so long; resolves to how old each channel became. */
  function nackFor(ms: number, queue = 'full'): number[] {
    const ages: number[] = [];
    let openedAt = now;
    for (const end = now + ms; now < end; now += 50)
      if (refusals.nacked(queue, now - openedAt)) {
        ages.push(now - openedAt);
        openedAt = now;
      }
    return ages;
  }

  it('has a nack cost the channel, and ever more rarely', () => {
    expect(nackFor(60_000)).toEqual([250, 250, 250, 250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000, 10_000]);
  });

  it('leaves a channel alone that is as young as an election', () => {
    expect(refusals.nacked('full', 249)).toBe(false);
    expect(refusals.nacked('full', 250)).toBe(true);
  });

  it('says that it is the queue once several channels were refused', () => {
    nackFor(600);
    expect(refusals.has('full')).toBe(false);
    nackFor(600);
    expect(refusals.has('full')).toBe(true);
    expect(refusals.has('another')).toBe(false);
  });

  it('begins anew with what is taken, and a minute after the last nack', () => {
    nackFor(2000);
    refusals.confirmed('full');
    expect(refusals.has('full')).toBe(false);
    nackFor(2000);
    now += 60_001;
    refusals.nacked('another', 0);
    expect(refusals.has('full')).toBe(false);
  });
});
