import { repeated, SENDERS, serverUs, type Case } from '../lib/bench';
import { shown } from '../lib/figure';
import { median } from '../lib/statistics';

/** What it costs when every message goes from an agent of one node to an agent of the other. */
export const twoNodes: Case = async (bench) => {
  const { ground, rounds, say } = bench;
  const one = await ground.mesh({ agents: SENDERS });
  const two = await ground.mesh({ agents: SENDERS, servers: 2 });
  try {
    const costs = await repeated(rounds, async () => ({
      one: await serverUs(bench, one),
      two: await serverUs(bench, two),
    }));
    const [single, double] = [median(costs.map((cost) => cost.one)), median(costs.map((cost) => cost.two))];
    say(`  CPU of a message: one node ${shown(single)} µs, two nodes ${shown(double)} µs together`);
    return [
      {
        key: 'two-nodes',
        what: 'two nodes, every message crossing: messages per CPU second of the servers',
        measured: `${shown(1e6 / double)} messages`,
        beside: `one node: ${shown(1e6 / single)} messages`,
        judged: single / double,
        goal: { atLeast: 0.9 },
        comparable: true,
      },
    ];
  } finally {
    await one.stop();
    await two.stop();
  }
};
