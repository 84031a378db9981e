import { ArrivalOrder } from '../../../lib/inbox/arrival-order';

/** A promise together with what settles it. */
function later() {
  let [resolve, reject] = [() => {}, () => {}];
  const promise = new Promise<void>((yes, no) => ([resolve, reject] = [yes, () => no(new Error('broken'))]));
  return { promise, resolve, reject };
}

const turnOfEvents = () => new Promise((resolve) => setImmediate(resolve));

it('lets nobody enter before all who arrived earlier are prepared, and then everybody in order', async () => {
  const order = new ArrivalOrder();
  const entered: number[] = [];
  const preparations = [0, 1, 2, 3, 4].map(later);
  const all = preparations.map(({ promise }, n) =>
    order.enter(promise, async () => {
      entered.push(n);
      await turnOfEvents();
    }),
  );
  for (const n of [4, 2, 1]) preparations[n]?.resolve();
  await turnOfEvents();
  expect(entered).toEqual([]);
  preparations[0]?.resolve();
  await turnOfEvents();
  expect(entered).toEqual([0, 1, 2]);
  preparations[3]?.resolve();
  await Promise.all(all);
  expect(entered).toEqual([0, 1, 2, 3, 4]);
});

it('goes past who cannot be prepared, and does not wait for who has entered', async () => {
  const order = new ArrivalOrder();
  const first = order.enter(Promise.resolve(), () => new Promise<void>(() => {})); // never comes out again
  const broken = later();
  const second = order.enter(broken.promise, () => Promise.resolve('unreachable'));
  const third = order.enter(Promise.resolve('third'), (prepared) => Promise.resolve(prepared));
  broken.reject();
  await expect(second).rejects.toThrow('broken');
  await expect(third).resolves.toBe('third');
  expect(first).toBeInstanceOf(Promise);
});
