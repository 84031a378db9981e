import { setImmediate } from 'node:timers/promises';
import { mapParallel } from '../../lib/parallel';

describe('mapParallel', () => {
  it('gives the results in the order of the items, whichever is ready first', async () => {
    const ready: number[] = [];
    const results = await mapParallel([3, 1, 2], 3, async (turns) => {
      for (let turn = 0; turn < turns; turn++) await setImmediate();
      ready.push(turns);
      return turns * 10;
    });
    expect(ready).toEqual([1, 2, 3]);
    expect(results).toEqual([30, 10, 20]);
  });

  it.each([
    [1, 5, 1],
    [3, 5, 3],
    [9, 5, 5],
  ])('with a limit of %d, %d items are worked on %d at a time', async (limit, count, most) => {
    let running = 0;
    let seen = 0;
    const items = Array.from({ length: count }, (_, index) => index);
    await mapParallel(items, limit, async () => {
      seen = Math.max(seen, ++running);
      await setImmediate();
      running--;
    });
    expect(seen).toBe(most);
  });

  it('does nothing for no items', async () => {
    const work = jest.fn<Promise<void>, [unknown]>();
    await expect(mapParallel([], 4, work)).resolves.toEqual([]);
    expect(work).not.toHaveBeenCalled();
  });

  it('works on items that are undefined as well', async () => {
    await expect(mapParallel([undefined, undefined], 1, () => Promise.resolve(1))).resolves.toEqual([1, 1]);
  });

  it('fails with the first error', async () => {
    const work = (item: number) => (item === 2 ? Promise.reject(new Error('two')) : Promise.resolve(item));
    await expect(mapParallel([1, 2, 3], 1, work)).rejects.toThrow('two');
  });
});
