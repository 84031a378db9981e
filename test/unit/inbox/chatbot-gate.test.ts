import { setMaxListeners } from 'node:events';
import { ChatbotGate, type Pass } from '../../../lib/inbox/chatbot-gate';
import { Patience } from '../../../lib/inbox/patience';

const changes: boolean[] = [];
let gate: ChatbotGate;
let stop: AbortController;

beforeEach(() => {
  jest.useFakeTimers();
  changes.length = 0;
  gate = new ChatbotGate((shut) => changes.push(shut));
  stop = new AbortController();
  setMaxListeners(0, stop.signal);
});
afterEach(() => void jest.useRealTimers());

const patience = (ms = 3_600_000) => new Patience(performance.now() + ms, stop.signal);
const pass = (key: string): Pass => ({ key, probe: false });

function shutTheGate(): void {
  for (const key of ['x', 'y', 'z']) gate.failed(pass(key));
  expect(gate.shut).toBe(true);
}

/** Waits at the gate; what it got is in `got`. */
function enter(key: string, failures = 0, patient = patience()) {
  const entry = { key, got: undefined as Pass | undefined, ended: false };
  void gate.enter(key, failures, patient).then((given) => Object.assign(entry, { got: given, ended: true }));
  return entry;
}

it('lets everybody through while the chatbot works, and who failed after a pause that grows', async () => {
  const first = enter('a');
  await jest.advanceTimersByTimeAsync(0);
  expect(first.got).toEqual(pass('a'));
  const pauses: number[] = [];
  for (const failures of [1, 2, 3, 4, 5, 9]) {
    const started = performance.now();
    const entry = enter('a', failures);
    while (!entry.ended) await jest.advanceTimersByTimeAsync(10);
    pauses.push(performance.now() - started);
  }
  [500, 1000, 2000, 4000, 5000, 5000].forEach((most, n) => {
    expect(pauses[n]).toBeGreaterThanOrEqual(most / 2);
    expect(pauses[n]).toBeLessThanOrEqual(most + 10);
  });
});

it('shuts after three failures in a row of more than one message, and not for the failures of one', async () => {
  for (let failures = 0; failures < 10; failures++) gate.failed(pass('poison'));
  expect(gate.shut).toBe(false);
  gate.failed(pass('other'));
  expect(gate.shut).toBe(true);
  gate.answered();
  for (const key of ['a', 'b']) gate.failed(pass(key));
  expect(gate.shut).toBe(false);
  expect(changes).toEqual([true, false]);
  await Promise.resolve();
});

it('makes at most one POST per second on average of fifty messages while the chatbot is down', async () => {
  shutTheGate();
  const entries = Array.from({ length: 50 }, (_, n) => enter(`m${n}`));
  const minutes = 5;
  let probes = 0;
  for (let ms = 0; ms < minutes * 60_000; ms += 50) {
    await jest.advanceTimersByTimeAsync(50);
    const admitted = entries.flatMap(({ got }, n) => (got ? [{ got, n }] : []));
    expect(admitted.length).toBeLessThanOrEqual(1); // each is answered at once
    for (const { got, n } of admitted) {
      probes += 1;
      gate.failed(got);
      entries[n] = enter(got.key, 1);
    }
  }
  expect(probes).toBeLessThanOrEqual(minutes * 60);
  expect(probes).toBeGreaterThanOrEqual(minutes * 30 - 2); // and at least every 2 s
});

it('tries the message next that was tried least, so that one that always fails blocks nobody', async () => {
  shutTheGate();
  const poison = enter('poison', 7);
  const fresh = enter('fresh');
  const other = enter('other', 1);
  await jest.advanceTimersByTimeAsync(1000);
  expect([poison.got, fresh.got, other.got]).toEqual([undefined, { key: 'fresh', probe: true }, undefined]);
  gate.answered();
  await jest.advanceTimersByTimeAsync(0);
  expect([poison.got, other.got]).toEqual([pass('poison'), pass('other')]);
  expect(gate.shut).toBe(false);
});

it('leaves the chatbot alone for as long as it asks, up to half a minute', async () => {
  gate.failed(pass('a'), 3_600_000);
  const entry = enter('a', 1);
  await jest.advanceTimersByTimeAsync(29_900);
  expect(entry.ended).toBe(false);
  await jest.advanceTimersByTimeAsync(200);
  expect(entry.got).toEqual({ key: 'a', probe: true });
});

it('sends another probe beside one that hangs, up to four, and lets nobody else through', async () => {
  shutTheGate();
  const entries = Array.from({ length: 9 }, (_, n) => enter(`m${n}`));
  const admitted = () => entries.filter(({ got }) => got).length;
  await jest.advanceTimersByTimeAsync(500);
  expect(admitted()).toBe(1);
  await jest.advanceTimersByTimeAsync(1700);
  const soon = admitted();
  await jest.advanceTimersByTimeAsync(60_000);
  expect([soon, admitted()]).toEqual([1, 4]);
  gate.failed(entries[0]?.got as Pass); // its time limit was over
  await jest.advanceTimersByTimeAsync(2000);
  expect(admitted()).toBe(5);
});

it('opens for all with the answer to any probe, and takes those that hang for nothing', async () => {
  shutTheGate();
  const entries = Array.from({ length: 9 }, (_, n) => enter(`m${n}`));
  await jest.advanceTimersByTimeAsync(20_000);
  gate.answered();
  await jest.advanceTimersByTimeAsync(0);
  expect(entries.every(({ got }) => got)).toBe(true);
  shutTheGate();
  const probes = Array.from({ length: 9 }, (_, n) => enter(`n${n}`));
  gate.unused(entries[0]?.got as Pass);
  await jest.advanceTimersByTimeAsync(500);
  expect(probes.filter(({ got }) => got)).toHaveLength(1);
});

it('waits no more than a moment for a probe that was not made', async () => {
  shutTheGate();
  const first = enter('a');
  await jest.advanceTimersByTimeAsync(1000);
  if (first.got) gate.unused(first.got);
  const next = enter('b');
  await jest.advanceTimersByTimeAsync(400);
  expect(next.got).toBeUndefined(); // what failed may fail at once again
  await jest.advanceTimersByTimeAsync(100);
  expect(next.got).toEqual({ key: 'b', probe: true });
});

it('sends away who has no time left, and everybody when the agent stops', async () => {
  const late = enter('late', 1, patience(0));
  const firstTry = enter('first', 0, patience(0));
  await jest.advanceTimersByTimeAsync(0);
  expect([late.ended, late.got, firstTry.got]).toEqual([true, undefined, pass('first')]);
  shutTheGate();
  const refused = enter('refused', 0, patience(0));
  const [waiting, short] = [enter('waiting'), enter('short', 0, patience(100))];
  await jest.advanceTimersByTimeAsync(120);
  expect([refused.ended, refused.got, short.ended, short.got, waiting.ended]).toEqual([
    true,
    undefined,
    true,
    undefined,
    false,
  ]);
  stop.abort();
  await jest.advanceTimersByTimeAsync(0);
  expect([waiting.ended, waiting.got]).toEqual([true, undefined]);
  const later = enter('later');
  await jest.advanceTimersByTimeAsync(0);
  expect([later.ended, later.got]).toEqual([true, undefined]);
});

it('probes with messages that have no patience where no others come, one after the other', async () => {
  shutTheGate();
  const posted: string[] = [];
  for (let n = 0; n < 100; n++) {
    const entry = enter(`${n}`, 0, patience(0));
    await jest.advanceTimersByTimeAsync(100);
    expect(entry.ended).toBe(true);
    if (!entry.got) continue;
    posted.push(entry.got.key);
    gate.failed(entry.got);
  }
  expect(posted.length).toBeGreaterThan(3); // in ten seconds, with pauses of up to two
  expect(posted.length).toBeLessThan(12);
  await jest.advanceTimersByTimeAsync(2000);
  const probe = enter('back', 0, patience(0));
  const beside = enter('beside', 0, patience(0));
  await jest.advanceTimersByTimeAsync(0);
  expect([probe.got?.probe, beside.ended, beside.got]).toEqual([true, true, undefined]);
  gate.answered();
  expect(gate.shut).toBe(false);
});

it('leaves the chatbot alone for as long as it asked, whatever fails or is not made meanwhile', async () => {
  shutTheGate();
  const [hanging, unused] = [enter('hanging'), enter('unused')];
  await jest.advanceTimersByTimeAsync(3000); // both probes are under way
  expect([hanging.got?.probe, unused.got?.probe]).toEqual([true, true]);
  gate.failed(pass('asks'), 30_000);
  gate.failed(hanging.got as Pass);
  gate.unused(unused.got as Pass);
  const next = enter('next');
  await jest.advanceTimersByTimeAsync(29_900);
  expect(next.ended).toBe(false);
  await jest.advanceTimersByTimeAsync(200);
  expect(next.got).toMatchObject({ probe: true });
});

it.each([-3_600_000, 3_600_000])('probes, and ends waiting, in time when the clock is set by %d ms', async (stepMs) => {
  shutTheGate();
  const [probe, short] = [enter('probe'), enter('short', 9, patience(2900))];
  jest.setSystemTime(Date.now() + stepMs);
  await jest.advanceTimersByTimeAsync(240);
  expect([probe.ended, short.ended]).toEqual([false, false]);
  await jest.advanceTimersByTimeAsync(260);
  expect(probe.got).toEqual({ key: 'probe', probe: true });
  gate.failed(probe.got!);
  const again = enter('again');
  await jest.advanceTimersByTimeAsync(2000);
  expect(again.got).toEqual({ key: 'again', probe: true });
  await jest.advanceTimersByTimeAsync(500);
  expect([short.ended, short.got]).toEqual([true, undefined]);
});
