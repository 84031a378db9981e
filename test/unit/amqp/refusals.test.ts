import { Refusals } from '../../../lib/amqp/refusals';

describe('Refusals', () => {
  let now: number;
  let refusals: Refusals;

  beforeEach(() => {
    now = 100_000;
    refusals = new Refusals(() => now);
  });

  /** Nacks each 50 ms for so long; returns how old each channel became. */
  function nackFor(ms: number, queue = 'full', between: () => void = () => undefined): number[] {
    const ages: number[] = [];
    let openedAt = now;
    for (const end = now + ms; now < end; now += 50) {
      between();
      if (!refusals.nacked(queue, now - openedAt)) continue;
      ages.push(now - openedAt);
      openedAt = now;
    }
    return ages;
  }

  it('has a nack cost the channel, and more and more rarely', () => {
    expect(nackFor(10_000)).toEqual([250, 250, 250, 250, 500, 1000, 2000, 2000, 2000]);
  });

  it('leaves a channel alone that is as young as an election', () => {
    expect(refusals.nacked('full', 249)).toBe(false);
    expect(refusals.nacked('full', 250)).toBe(true);
  });

  it('says that it is the queue once that has taken nothing for two seconds', () => {
    nackFor(2000);
    expect(refusals.has('another')).toBe(false);
    now -= 1;
    expect(refusals.has('full')).toBe(false);
    now += 1;
    expect(refusals.has('full')).toBe(true);
    refusals.confirmed('full');
    expect(refusals.has('full')).toBe(false);
  });

  it('gives a full queue that takes a message now and then no more channels than another', () => {
    nackFor(5000, 'full', () => refusals.confirmed('full'));
    expect(refusals.has('full')).toBe(false);
    expect(nackFor(10_000, 'full', () => refusals.confirmed('full'))).toEqual([2000, 2000, 2000, 2000]);
  });

  it('begins anew a minute after the last nack', () => {
    nackFor(10_000);
    now += 60_001;
    expect(nackFor(1000)).toEqual([250, 250, 250]);
    expect(refusals.has('full')).toBe(false);
  });
});
