import fc from 'fast-check';
import type { AgentSnapshot } from '../../../lib/agents/agent-record';
import { departedSpanMs, mergeSnapshots, newestOf, withoutLongGone } from '../../../lib/agents/merge';
import { departed, listed, NOBODY, sorted } from './lists';

const IDS = ['a', 'b', 'c'];

/** Few ids, times and names, so that they meet. */
const snapshots: fc.Arbitrary<AgentSnapshot> = fc
  .array(
    fc.record({
      id: fc.constantFrom(...IDS),
      at: fc.integer({ min: 1, max: 4 }),
      name: fc.constantFrom('x', 'y'),
      left: fc.boolean(),
    }),
    { maxLength: 5 },
  )
  .map((facts) =>
    facts
      .map(({ id, at, name, left }) => (left ? departed(id, at) : listed(at, [id, name])))
      .reduce(mergeSnapshots, NOBODY),
  );

describe('mergeSnapshots', () => {
  it('takes the newest record of each agent', () => {
    expect(mergeSnapshots(listed(2, ['a', 'new']), listed(1, ['a', 'old'], ['b', 'old'])).agents).toMatchObject([
      { id: 'a', name: 'new', listedAt: 2 },
      { id: 'b', name: 'old', listedAt: 1 },
    ]);
  });

  it('removes nobody whom the newer list only lacks', () => {
    expect(mergeSnapshots(listed(1, ['a'], ['b']), listed(2, ['a'])).agents).toHaveLength(2);
  });

  it('lets nobody who left come back by an older list, and anybody by a newer one', () => {
    const left = mergeSnapshots(listed(1, ['a']), departed('a', 2));
    expect(mergeSnapshots(left, listed(1, ['a']))).toEqual({ ...NOBODY, departed: [{ id: 'a', leftAt: 2 }] });
    expect(mergeSnapshots(left, listed(3, ['a']))).toEqual(listed(3, ['a']));
  });

  it('does not let an agent leave that is listed at the same time', () => {
    expect(mergeSnapshots(departed('a', 2), listed(2, ['a']))).toEqual(listed(2, ['a']));
  });

  it('means the same in either order', () => {
    fc.assert(
      fc.property(snapshots, snapshots, (a, b) => {
        expect(sorted(mergeSnapshots(a, b))).toEqual(sorted(mergeSnapshots(b, a)));
      }),
    );
  });

  it('means the same however it is grouped and however often it is repeated', () => {
    fc.assert(
      fc.property(snapshots, snapshots, snapshots, (a, b, c) => {
        const once = mergeSnapshots(mergeSnapshots(a, b), c);
        expect(sorted(mergeSnapshots(a, mergeSnapshots(b, c)))).toEqual(sorted(once));
        expect(sorted(mergeSnapshots(once, b))).toEqual(sorted(once));
      }),
    );
  });

  it('never goes back: what is newest stays newest', () => {
    fc.assert(
      fc.property(snapshots, snapshots, (a, b) => {
        expect(newestOf(mergeSnapshots(a, b))).toBe(Math.max(newestOf(a), newestOf(b)));
      }),
    );
  });
});

describe('withoutLongGone', () => {
  it('forgets those who left longer ago than their queues live, and a week', () => {
    const ttl = { agentTtlMs: 1000, dlqTtlMs: 2000, validationFailuresTtlMs: 1 };
    const span = departedSpanMs({ retireAfterMs: 4000, ttl });
    expect(span).toBe(7 * 24 * 3_600_000 + 7000);
    const now = Date.now();
    const snapshot = mergeSnapshots(departed('long gone', now - span - 1000), departed('gone', now - span + 60_000));
    expect(withoutLongGone(mergeSnapshots(snapshot, listed(1, ['here', 'x'])), span)).toMatchObject({
      agents: [{ id: 'here' }],
      departed: [{ id: 'gone' }],
    });
  });
});
