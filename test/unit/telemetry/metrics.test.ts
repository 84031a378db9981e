import { Metrics, secondsSince } from '../../../lib/telemetry/metrics';
import type { Tally } from '../../../lib/telemetry/tally';
import { seriesWith } from '../../helpers/series';

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
    metrics.read();
    expect(update.mock.calls).toEqual([
      ['d', 'set', { node: 'y' }, 7],
      ['e', 'observe', undefined, 0.25],
      ['a', 'inc', undefined, 1],
      ['b', 'inc', { reason: 'x' }, 1],
      ['c', 'inc', undefined, 3],
    ]);
  });

  it('hands on the sum of what was counted since the metrics were read last', () => {
    const metrics = new Metrics();
    const update = jest.fn();
    metrics.attach(update);
    const labels = { reason: 'x' };
    for (let times = 0; times < 5; times++) metrics.inc('a', labels, 2);
    metrics.inc('a');
    expect(update).not.toHaveBeenCalled();
    metrics.read();
    metrics.read();
    expect(update.mock.calls).toEqual([
      ['a', 'inc', labels, 10],
      ['a', 'inc', undefined, 1],
    ]);
    metrics.inc('a');
    metrics.detach();
    expect(update).toHaveBeenLastCalledWith('a', 'inc', undefined, 1);
  });

  it('holds back no more than a thousand series: labels may be new each time', () => {
    const metrics = new Metrics();
    const update = jest.fn();
    metrics.attach(update);
    for (let index = 0; index < 1001; index++) metrics.inc('a', { reason: 'x' });
    expect(update).toHaveBeenCalledTimes(1000);
    metrics.read();
    expect(update).toHaveBeenCalledTimes(1001);
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

describe('durations', () => {
  const collecting = () => {
    const metrics = new Metrics();
    const [update, failed] = [jest.fn(), jest.fn()];
    const added: [string, unknown, Tally][] = [];
    const bounds = (name: string) => (name === 'h' ? [1, 2] : undefined);
    metrics.attach(update, seriesWith({ bounds, failed, add: (...args) => void added.push(args) }));
    return { metrics, update, failed, added };
  };

  it('are summed up until the metrics are read, by labels', () => {
    const { metrics, update, added } = collecting();
    const labels = { event: 'x' };
    for (const seconds of [0, 1, 1.5, 2, 3]) metrics.observe('h', seconds, labels);
    metrics.observe('h', 0.5);
    expect(added).toEqual([]);
    metrics.read();
    metrics.read();
    expect(added).toEqual([
      ['h', labels, { bounds: [1, 2], counts: [2, 2], sum: 7.5, count: 5 }],
      ['h', undefined, { bounds: [1, 2], counts: [1, 0], sum: 0.5, count: 1 }],
    ]);
    expect(update).not.toHaveBeenCalled();
  });

  it('are handed on one by one where there is no histogram of that name, and what is no number is', () => {
    const { metrics, update, added } = collecting();
    metrics.observe('g', 1);
    metrics.observe('h', NaN);
    metrics.read();
    expect(update.mock.calls).toEqual([
      ['g', 'observe', undefined, 1],
      ['h', 'observe', undefined, NaN],
    ]);
    expect(added.map(([, , { count }]) => count)).toEqual([0]);
  });

  it('of an agent that left meanwhile are dropped', () => {
    const { metrics, added } = collecting();
    metrics.listAgents(['a']);
    metrics.observe('h', 1, { agent: 'b' });
    metrics.read();
    expect(added).toEqual([]);
  });

  it('that cannot be added are told of, and cost nobody else', () => {
    const { metrics, failed, added } = collecting();
    metrics.attach(
      jest.fn(),
      seriesWith({
        failed,
        bounds: () => [1],
        add: (...args) => {
          if (args[0] === 'bad') throw new Error('no such label');
          added.push(args);
        },
      }),
    );
    metrics.observe('bad', 1, { odd: 'x' });
    metrics.observe('good', 1);
    metrics.read();
    expect(failed.mock.calls).toEqual([['bad', new Error('no such label')]]);
    expect(added.map(([name]) => name)).toEqual(['good']);
  });

  it('take no more than a thousand series before they are handed on', () => {
    const { metrics, added } = collecting();
    for (let index = 0; index < 1001; index++) metrics.observe('h', 1, { event: 'x' });
    expect(added).toHaveLength(1000);
    metrics.read();
    expect(added.map(([, , { count }]) => count)).toEqual(Array(1001).fill(1));
  });
});

describe('the label agent', () => {
  const listing = (...agents: string[]) => {
    const metrics = new Metrics();
    const [update, forget] = [jest.fn(), jest.fn()];
    metrics.attach(update, seriesWith({ forget }));
    metrics.listAgents(agents);
    return { metrics, update, forget };
  };

  it('holds listed agents, with one object for all updates of an agent', () => {
    const { metrics, update } = listing('a', 'b');
    metrics.incFor('a', 'm');
    metrics.incFor('a', 'n');
    metrics.incFor('b', 'm', { reason: 'x' });
    metrics.read();
    expect(update.mock.calls).toEqual([
      ['m', 'inc', { agent: 'a' }, 1],
      ['m', 'inc', { agent: 'b', reason: 'x' }, 1],
      ['n', 'inc', { agent: 'a' }, 1],
    ]);
    const [first, , second] = update.mock.calls as [string, string, object][];
    expect(first?.[2]).toBe(second?.[2]);
  });

  it('holds nobody else, whichever way it is counted', () => {
    const { metrics, update } = listing('a');
    const stranger = { agent: 'stranger' };
    metrics.incFor('stranger', 'm');
    metrics.inc('m', stranger);
    metrics.set('m', 1, { ...stranger, more: 'x' });
    metrics.observe('m', 1, stranger);
    metrics.replace('m', [[stranger, 1]]);
    for (const odd of ['', '__proto__', 'constructor', 7, {}, null]) metrics.incFor(odd as string, 'm');
    metrics.read();
    expect(update).not.toHaveBeenCalled();
  });

  it('holds nobody before a list is there, not even for later', () => {
    const metrics = new Metrics();
    metrics.incFor('a', 'm');
    metrics.listAgents(['a']);
    const update = jest.fn();
    metrics.attach(update);
    expect(update).not.toHaveBeenCalled();
  });

  it('loses the series of who left', () => {
    const { metrics, update, forget } = listing('a', 'b', 'c');
    metrics.listAgents(['b', 'd']);
    expect(forget.mock.calls).toEqual([[new Set(['a', 'c'])]]);
    metrics.incFor('a', 'm');
    metrics.read();
    expect(update).not.toHaveBeenCalled();
    metrics.listAgents(['b', 'd']);
    expect(forget).toHaveBeenCalledTimes(1);
  });
});

describe('the gauges of the present', () => {
  it('are set when the metrics are read, until the collector is taken out', () => {
    const metrics = new Metrics();
    const update = jest.fn();
    metrics.attach(update);
    const end = metrics.collect('of a', () => metrics.set('a', 1));
    expect(update).not.toHaveBeenCalled();
    metrics.read();
    metrics.read();
    expect(update).toHaveBeenCalledTimes(2);
    end();
    metrics.read();
    expect(update).toHaveBeenCalledTimes(2);
  });

  it('are set by all collectors, although some throw, and each of those is told of once', () => {
    const metrics = new Metrics();
    const [update, failed] = [jest.fn(), jest.fn()];
    metrics.attach(update, seriesWith({ failed }));
    for (const what of ['one', 'two']) {
      metrics.collect(what, () => {
        throw new Error(`${what} is broken`);
      });
    }
    metrics.collect('of a', () => metrics.set('a', 1));
    metrics.read();
    metrics.read();
    expect(update).toHaveBeenCalledTimes(2);
    expect(failed.mock.calls).toEqual([
      ['one', new Error('one is broken')],
      ['two', new Error('two is broken')],
    ]);
  });

  it('that are replaced lose what they said before', () => {
    const metrics = new Metrics();
    const said: string[] = [];
    const update = (name: string) => void said.push(`set ${name}`);
    const clear = (name: string) => void said.push(`clear ${name}`);
    metrics.attach(update, seriesWith({ clear }));
    metrics.replace('a', [
      [{ use: 'x' }, 1],
      [{ use: 'y' }, 0],
    ]);
    expect(said).toEqual(['clear a', 'set a', 'set a']);
  });
});

describe('counting', () => {
  it('never throws, be the name or the label unknown, and says so once for each metric', () => {
    const metrics = new Metrics();
    const failed = jest.fn();
    const update = () => {
      throw new Error('no such label');
    };
    metrics.inc('pending');
    metrics.attach(update, seriesWith({ clear: update, forget: update, failed }));
    metrics.listAgents(['a']);
    for (let times = 0; times < 3; times++) {
      metrics.inc('m', { odd: 'x' });
      metrics.set('n', NaN);
      metrics.observe('o', 1);
      metrics.replace('p', []);
    }
    metrics.listAgents([]);
    expect(failed.mock.calls.map(([name]) => name as string)).toEqual([
      ...['pending', 'n', 'o', 'p', 'm'],
      'of agents that left',
    ]);
  });
});

describe('secondsSince', () => {
  it('is seconds', () => {
    jest.spyOn(performance, 'now').mockReturnValue(3500);
    expect(secondsSince(1000)).toBe(2.5);
    jest.restoreAllMocks();
  });
});
