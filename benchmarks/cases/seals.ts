import { runCommand } from '../../scripts/lib/run-command';
import { repeated, type Case } from '../lib/bench';
import { shown, type Figure } from '../lib/figure';
import { median } from '../lib/statistics';
import type { Seals } from '../load/seals';
import { Worker } from '../load/worker';

/** What sealing and opening cost beside the one RSA private operation that each of them cannot do without. */
export const seals: Case = async ({ rounds, quick, say }) => {
  const worker = new Worker<Seals>('seals.ts');
  const count = quick ? 1000 : 4000;
  try {
    const results = await repeated(rounds, async () => {
      const rsaUs = await rsaPrivateUs();
      const [sealing, opening] = [await worker.remote.sealing(count), await worker.remote.opening(count)];
      say(`  RSA ${shown(rsaUs)} µs, sealing ${shown(sealing.cpuUs)} µs, opening ${shown(opening.cpuUs)} µs`);
      return { rsaUs, sealing, opening };
    });
    const stalledMs = Math.max(...results.flatMap(({ sealing, opening }) => [sealing.stalledMs, opening.stalledMs]));
    const rsa = shown(median(results.map(({ rsaUs }) => rsaUs)));
    const figure = (key: 'sealing' | 'opening', what: string): Figure => ({
      key,
      what: `${what}, CPU of all threads`,
      measured: `${shown(median(results.map((result) => result[key].cpuUs)))} µs`,
      beside: `RSA 2048 private operation, openssl speed: ${rsa} µs`,
      judged: median(results.map((result) => result.rsaUs / result[key].cpuUs)),
      goal: { atLeast: 0.8 },
      comparable: true,
    });
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

/** `openssl speed -mr` prints `+F2:<no>:<bits>:<private operations a second>:<public ones>`. */
async function rsaPrivateUs(): Promise<number> {
  const { stdout } = await runCommand(['openssl', 'speed', '-mr', '-seconds', '1', 'rsa2048']);
  const [, perSecond] = /^\+F2:\d+:2048:([\d.]+):/m.exec(stdout) ?? [];
  if (perSecond === undefined) throw new Error('"openssl speed rsa2048" printed no figure; install openssl');
  return 1e6 / Number(perSecond);
}
