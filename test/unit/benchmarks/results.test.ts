import { compare } from '../../../benchmarks/lib/compare';
import { isMet, shown, type Figure } from '../../../benchmarks/lib/figure';
import { median, percentiles } from '../../../benchmarks/lib/statistics';
import { table } from '../../../benchmarks/lib/table';

const figure = (more: Partial<Figure> = {}): Figure => ({
  key: 'throughput',
  what: 'routed',
  measured: '9,000 messages/s',
  beside: 'alone: 18,000 messages/s',
  judged: 0.5,
  goal: { atLeast: 0.5 },
  comparable: true,
  ...more,
});

describe('what a benchmark is held against', () => {
  it('is the committed ratio with its tolerance, in the direction of its goal', () => {
    const before = { throughput: 0.6 };
    expect(compare([figure({ judged: 0.361 })], before)).toEqual([]);
    expect(compare([figure({ judged: 5 })], before)).toEqual([]);
    expect(compare([figure({ judged: 0.359 })], before)).toEqual(['throughput: 0.359, committed 0.6, tolerated 0.36']);
    const cost = { goal: { atMost: 1.3 } };
    expect(compare([figure({ ...cost, judged: 0.1 })], before)).toEqual([]);
    expect(compare([figure({ ...cost, judged: 0.839 })], before)).toEqual([]);
    expect(compare([figure({ ...cost, judged: 0.841 })], before)).toHaveLength(1);
  });

  it('is nothing for what only this machine says, and everything for what must never happen', () => {
    const own = { comparable: false, unit: 'ms' };
    expect(compare([figure({ ...own, judged: 99, goal: { atMost: 10 } })], {})).toEqual([]);
    const never = figure({ ...own, key: 'wrongs', judged: 1, goal: { atMost: 0 } });
    expect(compare([never], {})).toEqual(['wrongs: 1, and it must be 0']);
    expect(compare([{ ...never, judged: 0 }], {})).toEqual([]);
  });

  it('complains of a ratio that was never committed, and of one that is no number', () => {
    expect(compare([figure()], {})).toEqual(['throughput: there is no committed result, write one with --write']);
    expect(compare([figure({ judged: NaN })], { throughput: 0.5 })).toHaveLength(1);
  });
});

describe('the table', () => {
  it('says of each figure what it is judged by and whether its goal is met', () => {
    const late = figure({ what: 'late', judged: 12, unit: 'ms', goal: { atMost: 10 }, beside: '' });
    expect(table([figure(), late])).toBe(`\
| what | measured | beside it | judged | goal |  |
| --- | --- | --- | --- | --- | --- |
| routed | 9,000 messages/s | alone: 18,000 messages/s | 0.5 | ≥ 0.5 | met |
| late | 9,000 messages/s |  | 12 ms | ≤ 10 ms | missed |`);
    expect(isMet(figure({ judged: NaN }))).toBe(false);
  });

  it('shows three digits that count', () => {
    expect([0, 0.51249, 1.2345, 12.345, 123.45, 16_543.2].map(shown)).toEqual([
      ...['0', '0.512', '1.23', '12.3', '123', '16,543'],
    ]);
  });
});

describe('statistics', () => {
  it('know the middle and the ends', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([4, 1, 9, 2])).toBe(3);
    const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
    expect(percentiles(hundred)).toEqual({ p50: 51, p99: 100, max: 100, count: 100 });
    expect(percentiles([]).p50).toBeNaN();
  });
});
