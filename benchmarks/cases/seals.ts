import { repeated, type Case } from '../lib/bench';
import { shown, type Figure } from '../lib/figure';
import { besideOpenssl } from '../lib/openssl-speed';
import { median } from '../lib/statistics';
import type { Seals } from '../load/seals';
import { Worker } from '../load/worker';

/** Messages in one turn, some 40 ms. */
const TURN = 100;

/** What sealing and opening cost beside the one RSA private operation that each of them cannot do without. */
export const seals: Case = async ({ rounds, measureMs, say }) => {
  const worker = new Worker<Seals>('seals.ts');
  const beside = async (work: (count: number) => Promise<number>) => {
    let [us, count] = [0, 0];
    const rsaUs = await besideOpenssl(measureMs / 1000, async () => {
      us += await work(TURN);
      count += TURN;
    });
    return { rsaUs, us: us / count };
  };
  try {
    await worker.remote.warmUp();
    const results = await repeated(rounds, async () => {
      const sealing = await beside(worker.remote.sealing);
      const opening = await beside(worker.remote.opening);
      for (const [what, { rsaUs, us }] of Object.entries({ sealing, opening }))
        say(`  ${what} ${shown(us)} µs, in turns with RSA ${shown(rsaUs)} µs`);
      return { sealing, opening, stalledMs: await worker.remote.stalledMs() };
    });
    const figure = (key: 'sealing' | 'opening', what: string): Figure => ({
      key,
      what: `${what}, CPU of all threads`,
      measured: `${shown(median(results.map((result) => result[key].us)))} µs`,
      beside: `RSA 2048 private operation, openssl speed: ${shown(median(results.map((result) => result[key].rsaUs)))} µs`,
      judged: median(results.map(({ [key]: { rsaUs, us } }) => rsaUs / us)),
      goal: { atLeast: 0.8 },
      comparable: true,
    });
    const stalledMs = Math.max(...results.map((result) => result.stalledMs));
    return [
      figure('sealing', 'an agent seals'),
      figure('opening', 'an agent opens'),
      {
        key: 'seal-stall',
        what: 'the longest that the event loop stood still meanwhile',
        measured: `${shown(stalledMs)} ms`,
        beside: '',
        judged: stalledMs,
        unit: 'ms',
        goal: { atMost: 20 },
        comparable: false,
      },
    ];
  } finally {
    await worker.stop();
  }
};
