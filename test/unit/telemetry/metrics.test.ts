import { Metrics, secondsSince } from '../../../lib/telemetry/metrics';

describe('Metrics', () => {
  it('hands on what is counted, with its labels', () => {
    const metrics = new Metrics();
    const update = jest.fn();
    metrics.attach(update);
    metrics.inc('a');
    metrics.inc('b', { reason: 'x' });
    metrics.inc('c', undefined, 3);
    metrics.set('d', 7, { node: 'y' });
    metrics.observe('e', 0.25);
    expect(update.mock.calls).toEqual([
      ['a', 'inc', undefined, 1],
      ['b', 'inc', { reason: 'x' }, 1],
      ['c', 'inc', undefined, 3],
      ['d', 'set', { node: 'y' }, 7],
      ['e', 'observe', undefined, 0.25],
    ]);
  });

  it('keeps what is counted before the collector is there, in order, and hands it on once', () => {
    const metrics = new Metrics();
    metrics.inc('first');
    metrics.set('second', 2);
    const [one, two] = [jest.fn(), jest.fn()];
    metrics.attach(one);
    metrics.attach(two);
    expect(one.mock.calls.map(([name]) => name as string)).toEqual(['first', 'second']);
    expect(two).not.toHaveBeenCalled();
  });

  it('keeps no more than a thousand updates: without a collector memory must not grow', () => {
    const metrics = new Metrics();
    for (let index = 0; index < 5000; index++) metrics.inc(`m${index}`);
    const update = jest.fn();
    metrics.attach(update);
    expect(update).toHaveBeenCalledTimes(1000);
    expect(update).toHaveBeenLastCalledWith('m999', 'inc', undefined, 1);
  });

  it('tells a collector that was detached nothing more', () => {
    const metrics = new Metrics();
    const update = jest.fn();
    metrics.attach(update);
    metrics.detach();
    metrics.inc('a');
    expect(update).not.toHaveBeenCalled();
  });
});

describe('secondsSince', () => {
  it('is seconds', () => {
    jest.spyOn(performance, 'now').mockReturnValue(3500);
    expect(secondsSince(1000)).toBe(2.5);
    jest.restoreAllMocks();
  });
});
