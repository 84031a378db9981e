import { Window } from '../../../lib/dlq/window';

describe('a window', () => {
  it.each([
    ['neither more things than it may', new Window(2, 1000), 10],
    ['nor more bytes', new Window(100, 25), 10],
  ])('has under way %s', async (_what, window, bytes) => {
    let underWay = 0;
    let most = 0;
    const results: Promise<number>[] = [];
    for (let number = 0; number < 10; number++) {
      const begun = await window.begin(bytes, async () => {
        most = Math.max(most, ++underWay);
        await new Promise(setImmediate);
        underWay -= 1;
        return number;
      });
      results.push(begun.result);
    }
    expect(await Promise.all(results)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(most).toBe(2);
  });

  it('lets one thing through that is larger than all that it takes', async () => {
    const { result } = await new Window(2, 10).begin(1000, () => Promise.resolve('done'));
    expect(await result).toBe('done');
  });
});
