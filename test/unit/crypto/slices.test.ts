import { setImmediate as nextTurn } from 'node:timers/promises';
import { Slices } from '../../../lib/crypto/slices';

/** Keeps the thread for so long, ms. */
function block(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

describe('Slices', () => {
  it('does at once what nothing is in the way of', async () => {
    const done: number[] = [];
    const promise = new Slices(5).run(() => done.push(1));
    expect(done).toEqual([1]);
    await expect(promise).resolves.toBe(1);
  });

  it('leaves the turn of the event loop once its slice is used, and goes on in order', async () => {
    const slices = new Slices(5);
    const done: number[] = [];
    const turnsAt: number[] = [];
    let turns = 0;
    const tick = () => {
      turns++;
      if (done.length < 20) setImmediate(tick);
    };
    setImmediate(tick);
    const all = Array.from({ length: 20 }, (_, index) =>
      slices.run(() => {
        block(2);
        done.push(index);
        turnsAt.push(turns);
      }),
    );
    await Promise.all(all);
    expect(done).toEqual(done.toSorted((a, b) => a - b));
    const inOneTurn = [...new Set(turnsAt)].map((turn) => turnsAt.filter((at) => at === turn).length);
    expect(Math.max(...inOneTurn)).toBeLessThan(4);
  });

  it('begins each turn with a whole slice', async () => {
    const slices = new Slices(5);
    await slices.run(() => block(6));
    let ran = false;
    void slices.run(() => (ran = true));
    expect(ran).toBe(false);
    await nextTurn();
    expect(ran).toBe(true);
    await nextTurn();
    void slices.run(() => (ran = false));
    expect(ran).toBe(false);
  });

  it('rejects with what the work throws and goes on', async () => {
    const slices = new Slices(5);
    const failure = new RangeError('no');
    const failing = slices.run(() => {
      throw failure;
    });
    await expect(failing).rejects.toBe(failure);
    await expect(slices.run(() => 'next')).resolves.toBe('next');
  });
});
