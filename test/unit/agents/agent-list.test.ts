import fc from 'fast-check';
import { AgentList } from '../../../lib/agents/agent-list';
import type { CentOpsList } from '../../../lib/agents/centops-client';
import { agent, answer, departed, listed, NOBODY } from './lists';

const REMOVE_AFTER_MS = 60_000;
const DAY_MS = 86_400_000;
const EIGHT = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

function newList(removeAfterMs = REMOVE_AFTER_MS): AgentList {
  return new AgentList(removeAfterMs, DAY_MS);
}

const look = (list: AgentList, found: CentOpsList, accept?: boolean) => list.take(found, list.beginLook(), accept);

const idsIn = (list: AgentList) => (list.snapshot?.agents ?? []).map(({ id }) => id).sort();

/** Looks this often, this long after each other. */
function looks(list: AgentList, found: CentOpsList, count: number, pauseMs = REMOVE_AFTER_MS / 3) {
  for (let n = 0; n < count; n++) {
    jest.advanceTimersByTime(pauseMs);
    look(list, found);
  }
}

describe('an agent that is missing in a whole answer', () => {
  it('stays until it was missing in every answer for as long as it takes', () => {
    const list = newList();
    look(list, answer('a', 'b', 'c'));
    expect(look(list, answer('a', 'b'))).toMatchObject({ missing: 1, suspicious: false, diff: { removed: [] } });
    expect(list.snapshot?.missing).toEqual(['c']);
    jest.advanceTimersByTime(REMOVE_AFTER_MS - 1);
    look(list, answer('a', 'b'));
    look(list, answer('a', 'b'));
    expect(idsIn(list)).toEqual(['a', 'b', 'c']);
    jest.advanceTimersByTime(1);
    expect(look(list, answer('a', 'b')).diff.removed).toMatchObject([{ id: 'c' }]);
    expect(list.snapshot).toMatchObject({ departed: [{ id: 'c' }], missing: [] });
  });

  it('stays while fewer than three answers lacked it, however long ago the first was', () => {
    const list = newList();
    look(list, answer('a', 'b', 'c'));
    looks(list, answer('a', 'b'), 2, DAY_MS);
    expect(idsIn(list)).toEqual(['a', 'b', 'c']);
    looks(list, answer('a', 'b'), 1);
    expect(idsIn(list)).toEqual(['a', 'b']);
  });

  it.each<[string, (list: AgentList) => void]>([
    ['lists it', (list) => look(list, answer('a', 'b', 'c'))],
    ['fails', (list) => list.fail()],
    ['is half valid', (list) => look(list, { agents: [agent('a')], rejected: ['entry 1'] })],
    ['is empty', (list) => look(list, answer())],
    ["is a neighbour's and lists it", (list) => list.follow(listed(list.beginLook(), ['c']))],
  ])('begins anew when an answer between %s', (_what, between) => {
    const list = newList();
    look(list, answer('a', 'b', 'c'));
    looks(list, answer('a', 'b'), 3);
    between(list);
    looks(list, answer('a', 'b'), 3);
    expect(idsIn(list)).toEqual(['a', 'b', 'c']);
    looks(list, answer('a', 'b'), 1);
    expect(idsIn(list)).toEqual(['a', 'b']);
  });

  it('is still looked for after a failure', () => {
    const list = newList();
    look(list, answer('a', 'b', 'c'));
    look(list, answer('a', 'b'));
    list.fail();
    expect(list.snapshot?.missing).toEqual(['c']);
  });

  it('is gone at once where that is wanted, or an operator accepts the answer', () => {
    const atOnce = newList(0);
    look(atOnce, answer('a', 'b', 'c'));
    look(atOnce, answer('a', 'b'));
    expect(idsIn(atOnce)).toEqual(['a', 'b']);
    const accepted = newList();
    look(accepted, answer('a', 'b', 'c'));
    look(accepted, answer('a', 'b'), true);
    expect(idsIn(accepted)).toEqual(['a', 'b']);
  });

  it.each([
    ['half valid', { agents: [agent('a')], rejected: ['entry 1'] }],
    ['empty', answer()],
  ])('stays when the accepted answer is %s', (_what, found) => {
    const list = newList(0);
    look(list, answer('a', 'b'));
    look(list, found, true);
    expect(idsIn(list)).toEqual(['a', 'b']);
  });
});

describe('a list that shrinks by more than half', () => {
  it('is never taken by itself', () => {
    for (const removeAfterMs of [0, REMOVE_AFTER_MS]) {
      const list = newList(removeAfterMs);
      look(list, answer(...EIGHT));
      looks(list, answer('a', 'b', 'c'), 10);
      expect(idsIn(list)).toEqual(EIGHT);
      expect(look(list, answer('a', 'b', 'c'))).toMatchObject({ missing: 5, suspicious: true });
      expect(list.snapshot?.missing).toEqual([]);
    }
  });

  it('is taken when an operator accepts it, and then shrinks on as any other', () => {
    const list = newList(0);
    look(list, answer(...EIGHT));
    look(list, answer('a', 'b', 'c'), true);
    expect(idsIn(list)).toEqual(['a', 'b', 'c']);
    look(list, answer('a', 'b'));
    expect(idsIn(list)).toEqual(['a', 'b']);
  });

  it('is forgotten when CentOps lists them again', () => {
    const list = newList();
    look(list, answer(...EIGHT));
    look(list, answer('a'));
    expect(look(list, answer(...EIGHT))).toMatchObject({ missing: 0, suspicious: false });
  });

  it('still brings in who is new and what changed', () => {
    const list = newList();
    look(list, answer(...EIGHT));
    look(list, { agents: [agent('a', 'renamed'), agent('z')], rejected: [] });
    expect(idsIn(list)).toEqual([...EIGHT, 'z']);
    expect(list.snapshot?.agents).toContainEqual(expect.objectContaining({ id: 'a', name: 'renamed' }));
  });

  it('is seen when it shrinks bit by bit within an hour', () => {
    const list = newList(0);
    look(list, answer(...EIGHT));
    for (let kept = 7; kept >= 1; kept--) looks(list, answer(...EIGHT.slice(0, kept)), 1, 60_000);
    expect(idsIn(list)).toEqual(EIGHT.slice(0, 4));
    jest.advanceTimersByTime(3_600_000);
    look(list, answer('a', 'b', 'c'));
    expect(idsIn(list)).toEqual(['a', 'b', 'c']);
  });

  it('may be most of very few', () => {
    const list = newList(0);
    look(list, answer('a', 'b', 'c'));
    look(list, answer('a'));
    expect(idsIn(list)).toEqual(['a']);
  });
});

describe('a strange answer', () => {
  const lower = '8d3c0a51-6a2e-4d0b-9f63-2b1e5c7a9d10';

  it('does not respell an agent: its queue and its login have one spelling', () => {
    const list = newList(0);
    look(list, answer(lower, 'b'));
    look(list, answer(lower.toUpperCase(), 'b'));
    expect(idsIn(list)).toEqual([lower, 'b'].sort());
    expect(list.snapshot?.departed).toEqual([]);
  });

  it('that lists an agent twice with two keys does not change it', () => {
    const list = newList(0);
    look(list, answer('a', 'b'));
    const other = { ...agent('a'), authenticationCertificate: 'another key' };
    look(list, { agents: [other, agent('b')], rejected: ['agent a is listed twice'], contradicted: ['a'] });
    expect(list.snapshot?.agents.find(({ id }) => id === 'a')?.authenticationCertificate).toBe('key of a');
  });

  it('that gives back an old key is believed: the newest answer counts', () => {
    const list = newList();
    look(list, answer('a', 'b'));
    const rekeyed = { ...agent('a'), authenticationCertificate: 'another key' };
    expect(look(list, { agents: [rekeyed, agent('b')], rejected: [] }).diff.rekeyed).toHaveLength(1);
    expect(look(list, answer('a', 'b')).diff.rekeyed).toHaveLength(1);
    expect(look(list, answer('a', 'b')).diff.changed).toHaveLength(0);
  });
});

describe('news from a neighbour', () => {
  it('are a reason to look for oneself when he took somebody away or misses somebody', () => {
    const list = newList();
    look(list, answer('a', 'b'));
    expect(list.follow(listed(list.beginLook(), ['c']))).toEqual({ gone: false, missing: false });
    expect(list.follow({ ...NOBODY, missing: ['a'] })).toEqual({ gone: false, missing: true });
    expect(list.follow({ ...NOBODY, missing: ['z'] })).toEqual({ gone: false, missing: false });
    expect(list.follow(departed('a', list.beginLook()))).toEqual({ gone: true, missing: false });
    expect(idsIn(list)).toEqual(['b', 'c']);
  });

  it('of who was listed while this node looked outlive its answer', () => {
    const list = newList(0);
    look(list, answer('a', 'b'));
    const begun = list.beginLook();
    jest.advanceTimersByTime(1000);
    list.follow(listed(Date.now(), ['c']));
    list.take(answer('a', 'b'), begun);
    expect(idsIn(list)).toEqual(['a', 'b', 'c']);
  });

  it('of who left while this node looked outlive its answer', () => {
    const list = newList();
    look(list, answer('a', 'b'));
    const begun = list.beginLook();
    jest.advanceTimersByTime(1000);
    list.follow(departed('b', Date.now()));
    list.take(answer('a', 'b'), begun);
    expect(idsIn(list)).toEqual(['a']);
    look(list, answer('a', 'b'));
    expect(idsIn(list)).toEqual(['a', 'b']);
  });

  it('with a fast clock hide nothing', () => {
    const list = newList(0);
    list.follow(listed(Date.now() + DAY_MS, ['a', 'early'], ['b']));
    look(list, { agents: [agent('a', 'right')], rejected: [] });
    expect(list.snapshot?.agents).toMatchObject([{ id: 'a', name: 'right' }]);
  });
});

describe('who left', () => {
  it('is forgotten in the end', () => {
    const list = newList(0);
    look(list, answer('a', 'b'));
    look(list, answer('a'));
    jest.advanceTimersByTime(DAY_MS - 1000);
    look(list, answer('a'));
    expect(list.snapshot?.departed).toHaveLength(1);
    jest.advanceTimersByTime(2000);
    look(list, answer('a'));
    expect(list.snapshot?.departed).toEqual([]);
  });

  it('can be named by an operator, once, and only if nobody lists him', () => {
    const list = newList();
    expect(() => list.depart('z')).toThrow(expect.objectContaining({ code: 'AGENTS_UNKNOWN' }) as Error);
    look(list, answer('a'));
    expect(() => list.depart('a')).toThrow(expect.objectContaining({ code: 'AGENT_LISTED' }) as Error);
    const first = list.depart('z');
    jest.advanceTimersByTime(1000);
    expect(list.depart('z')).toEqual(first);
    expect(list.snapshot?.departed).toEqual([first]);
  });
});

/** What happens in a mesh of three, as far as the lists are concerned. */
type Step =
  | { kind: 'truth'; ids: string[] }
  | { kind: 'look'; node: number; sees: 'all' | 'half' | 'nothing' }
  | { kind: 'news'; from: number; to: number; which: number }
  | { kind: 'wait'; ms: number };

const NODES = 3;
const node = fc.integer({ min: 0, max: NODES - 1 });
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('truth' as const), ids: fc.subarray(EIGHT, { minLength: 1 }) }),
    fc.record({ kind: fc.constant('look' as const), node, sees: fc.constantFrom('all', 'half', 'nothing') }),
    fc.record({ kind: fc.constant('news' as const), from: node, to: node, which: fc.nat() }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(1, 20_000, 60_000, 3_600_000) }),
  ),
  { maxLength: 60 },
);

describe('a mesh in which news are late, lost, repeated and out of order', () => {
  it('ends with the list of the newest confirmed look on every node', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const lists = Array.from({ length: NODES }, () => newList());
        const said = lists.map((list) => [list.snapshot]);
        let truth = EIGHT;
        const say = (n: number) => said[n]?.push(lists[n]?.snapshot ?? null);
        const hear = (to: number, snapshot: (typeof said)[number][number] | undefined) => {
          if (snapshot) lists[to]?.follow(snapshot);
        };
        for (const step of all) {
          if (step.kind === 'truth') truth = step.ids;
          if (step.kind === 'wait') jest.advanceTimersByTime(step.ms);
          if (step.kind === 'news') hear(step.to, said[step.from]?.[step.which % said[step.from]!.length]);
          if (step.kind !== 'look') continue;
          if (step.sees === 'nothing') lists[step.node]?.fail();
          else if (step.sees === 'all') look(lists[step.node]!, answer(...truth));
          else look(lists[step.node]!, { ...answer(truth[0]!), rejected: ['the rest'] });
          say(step.node);
        }
        // One node looks on, as long as it takes; an operator has a word where it lacks too many.
        looks(lists[0]!, answer(...truth), 4);
        look(lists[0]!, answer(...truth), true);
        say(0);
        // Everything that was ever said arrives everywhere, the last first.
        for (const from of [0, 1, 2]) {
          for (const snapshot of said[from]!.toReversed()) for (const to of [0, 1, 2]) hear(to, snapshot);
        }
        // News of the others may be newer than its last look: it looks again, and says so.
        looks(lists[0]!, answer(...truth), 1);
        look(lists[0]!, answer(...truth), true);
        for (const to of [1, 2]) hear(to, lists[0]!.snapshot);
        for (const list of lists) expect(idsIn(list)).toEqual([...truth].sort());
      }),
      { numRuns: 500 },
    );
  });

  it('loses nobody whom CentOps always lists, whatever else it does', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const lists = Array.from({ length: NODES }, () => newList());
        for (const list of lists) look(list, answer(...EIGHT));
        const said = lists.map((list) => [list.snapshot!]);
        for (const step of all) {
          if (step.kind === 'wait') jest.advanceTimersByTime(step.ms);
          if (step.kind === 'news') lists[step.to]!.follow(said[step.from]![step.which % said[step.from]!.length]!);
          if (step.kind !== 'look') continue;
          if (step.sees === 'nothing') lists[step.node]!.fail();
          else look(lists[step.node]!, step.sees === 'all' ? answer(...EIGHT) : { ...answer('a'), rejected: ['rest'] });
          said[step.node]!.push(lists[step.node]!.snapshot!);
          expect(idsIn(lists[step.node]!)).toEqual(EIGHT);
        }
        for (const list of lists) expect(list.snapshot?.departed).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
