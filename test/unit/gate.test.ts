import { Gate } from '../../lib/gate';

describe('a gate', () => {
  it('lets through at once while it is open, and not once it is shut', async () => {
    const gate = new Gate();
    gate.letThrough();
    expect([gate.open, await gate.passed(1000)]).toEqual([true, true]);
    gate.shut();
    expect([gate.open, await gate.passed(5)]).toEqual([false, false]);
  });

  it('lets all who wait through in their order when it opens', async () => {
    const gate = new Gate();
    const through: number[] = [];
    const waiting = [1, 2, 3].map((n) => gate.passed(60_000).then((ok) => ok && through.push(n)));
    expect(through).toEqual([]);
    gate.letThrough();
    await Promise.all(waiting);
    expect(through).toEqual([1, 2, 3]);
  });

  it('sends away who waits with a signal once that is aborted, and nobody else', async () => {
    const gate = new Gate();
    const end = new AbortController();
    const [patient, hurried] = [gate.passed(60_000), gate.passed(60_000, end.signal)];
    end.abort();
    expect(await hurried).toBe(false);
    expect(await gate.passed(60_000, end.signal)).toBe(false);
    gate.letThrough();
    expect(await patient).toBe(true);
  });
});
