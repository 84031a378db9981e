import { PAYLOAD_BYTES, SENDERS, type Case } from '../lib/bench';
import { shown } from '../lib/figure';
import { peakRssBytes, rssBytes } from '../lib/process-stats';
import type { Raw } from '../load/raw';
import { Worker } from '../load/worker';

const MEGABYTE = 1e6;

/** Agents come back to queues in which a great many messages wait. */
export const backlog: Case = async ({ ground, quick, measureMs, say }) => {
  const count = quick ? 10_000 : 100_000;
  const mesh = await ground.mesh({ agents: SENDERS });
  const raw = new Worker<Raw>('raw.ts');
  try {
    const load = { senders: SENDERS, inFlight: 50, warmUpMs: 1000, measureMs, payloadBytes: PAYLOAD_BYTES };
    const { perSecond: routed } = await mesh.ring.remote.full(load);
    const before = rssBytes(mesh.pids[0] as number);
    await mesh.ring.remote.disconnect();
    await raw.remote.fill({ url: ground.amqpUrl, queues: mesh.ids, count, payloadBytes: PAYLOAD_BYTES });
    const { ms, twice } = await mesh.ring.remote.drain(ground.ringPlan(mesh.servers, mesh.ids), count);
    const perSecond = (count * 1000) / ms;
    const grown = (peakRssBytes(mesh.pids[0] as number) - before) / MEGABYTE;
    say(`  ${count} waiting messages at ${shown(perSecond)}/s, routed ${shown(routed)}/s, ${shown(grown)} MB more`);
    return [
      {
        key: 'backlog-rate',
        what: `${shown(count)} waiting messages are delivered`,
        measured: `${shown(perSecond)} messages/s`,
        beside: `routed: ${shown(routed)} messages/s`,
        judged: perSecond / routed,
        goal: { atLeast: 1 },
        comparable: true,
      },
      {
        key: 'backlog-memory',
        what: 'the most memory of the server meanwhile, above that after the load before it',
        measured: `${shown(grown)} MB`,
        beside: `${shown((count * PAYLOAD_BYTES) / MEGABYTE)} MB wait`,
        judged: grown,
        unit: 'MB',
        goal: { atMost: 25 },
        comparable: false,
      },
      {
        key: 'backlog-twice',
        what: 'of them delivered twice',
        measured: `${twice} messages`,
        beside: '',
        judged: twice,
        unit: 'messages',
        goal: { atMost: 0 },
        comparable: false,
      },
    ];
  } finally {
    await raw.stop();
    await mesh.stop();
  }
};
