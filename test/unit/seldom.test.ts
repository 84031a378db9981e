import { Seldom } from '../../lib/seldom';

let now: number;
let seldom: Seldom;

beforeEach(() => {
  now = 0;
  seldom = new Seldom(1000, 3, () => now);
});

describe('what is said seldom', () => {
  it('is said once in a period, each thing for itself', () => {
    expect(['a', 'b', 'a', 'a'].map((thing) => seldom.mayTell(thing))).toEqual([0, 0, undefined, undefined]);
  });

  it('tells with the next time how often it was held back', () => {
    for (let count = 0; count < 5; count++) seldom.mayTell('a');
    now += 1000;
    expect(seldom.mayTell('a')).toBe(4);
    expect(seldom.mayTell('a')).toBeUndefined();
    now += 1000;
    expect(seldom.mayTell('a')).toBe(1);
    now += 1000;
    expect(seldom.mayTell('a')).toBe(0);
  });

  it('knows a bounded number of things; all others are one', () => {
    const told = Array.from({ length: 1000 }, (_, index) => seldom.mayTell(`thing ${index}`));
    expect(told.filter((count) => count !== undefined)).toHaveLength(4);
    now += 1000;
    expect(seldom.mayTell('a new one')).toBe(0);
    expect(seldom.mayTell('another new one')).toBe(0);
  });
});
