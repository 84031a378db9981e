import { SyncMetrics } from '../../../lib/agents/sync-metrics';
import { countingMetrics } from '../fakes';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

describe('SyncMetrics', () => {
  const setUp = () => {
    const { metrics, counted } = countingMetrics();
    const sync = new SyncMetrics(metrics);
    const age = () => {
      metrics.read();
      return Math.round(counted.dmr_centops_sync_age_seconds ?? NaN);
    };
    const looks = () =>
      ['whole', 'partial', 'failed'].map((result) => counted[`dmr_centops_looks_total{result="${result}"}`]);
    return { sync, counted, age, looks };
  };

  it('begins with no look, and an age that grows from there', () => {
    const { age, looks, counted } = setUp();
    expect(looks()).toEqual([0, 0, 0]);
    expect(counted).toMatchObject({ dmr_centops_whole: 0, dmr_centops_suspicious: 0 });
    jest.advanceTimersByTime(90_000);
    expect(age()).toBe(90);
  });

  it('grows no younger by a look that was not whole', () => {
    const { sync, age, looks, counted } = setUp();
    sync.looked('whole');
    jest.advanceTimersByTime(60_000);
    sync.looked('partial');
    sync.looked('failed');
    expect(age()).toBe(60);
    expect(looks()).toEqual([1, 1, 1]);
    expect(counted.dmr_centops_whole).toBe(0);
    sync.looked('whole');
    expect(age()).toBe(0);
    expect(counted.dmr_centops_whole).toBe(1);
  });

  it('keeps who is suspiciously missing until a whole answer says otherwise', () => {
    const { sync, counted } = setUp();
    sync.looked('whole', 7);
    sync.looked('failed');
    sync.looked('partial');
    expect(counted.dmr_centops_suspicious).toBe(7);
    sync.looked('whole');
    expect(counted.dmr_centops_suspicious).toBe(0);
  });
});
