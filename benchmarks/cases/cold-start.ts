import { repeated, type Case } from '../lib/bench';
import { shown } from '../lib/figure';
import { median } from '../lib/statistics';

/** From the start of the process until a server node is healthy, with RabbitMQ and CentOps at hand. */
export const coldStart: Case = async ({ ground, rounds, say }) => {
  const { url } = await ground.list(10);
  const times = await repeated(Math.max(3, rounds), async () => {
    const began = performance.now();
    const { child } = await ground.server(url);
    const ms = performance.now() - began;
    await child.terminate();
    return ms;
  });
  say(`  cold starts: ${times.map(shown).join(', ')} ms`);
  const seconds = median(times) / 1000;
  return [
    {
      key: 'cold-start',
      what: 'a server node from its start to healthy',
      measured: `${shown(seconds)} s`,
      beside: '',
      judged: seconds,
      unit: 's',
      goal: { atMost: 2 },
      comparable: false,
    },
  ];
};
