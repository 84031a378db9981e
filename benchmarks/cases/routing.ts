import { PAYLOAD_BYTES, PREFETCH, repeated, SENDERS, type Bench, type Case } from '../lib/bench';
import { shown, type Figure } from '../lib/figure';
import { cpuUs } from '../lib/process-stats';
import { median } from '../lib/statistics';
import type { FullLoadResult } from '../load/drive';
import type { Raw } from '../load/raw';
import { Worker } from '../load/worker';

const PACE = { senders: SENDERS, perSecond: 100, payloadBytes: PAYLOAD_BYTES };
const WARM_UP_MS = 2000;

/** Throughput and latency of one server node, beside RabbitMQ alone. */
export const routing: Case = async (bench) => {
  const { ground } = bench;
  const raw = new Worker<Raw>('raw.ts');
  const queues = Array.from({ length: SENDERS }, (_, i) => `raw-${i}`);
  await raw.remote.connect({ url: ground.amqpUrl, queues, prefetch: PREFETCH });
  const mesh = await ground.mesh({ agents: SENDERS });
  try {
    return [...(await throughput(bench, raw, mesh)), ...(await latency(bench, raw, mesh))];
  } finally {
    await raw.remote.disconnect();
    await raw.stop();
    await mesh.stop();
  }
};

type Mesh = Awaited<ReturnType<Bench['ground']['mesh']>>;

async function throughput({ rounds, measureMs, say }: Bench, raw: Worker<Raw>, mesh: Mesh): Promise<Figure[]> {
  const load = { senders: SENDERS, inFlight: 50, warmUpMs: WARM_UP_MS, measureMs, payloadBytes: PAYLOAD_BYTES };
  for (const { remote } of [raw, mesh.ring]) await remote.full(load); // until what is hot is compiled
  const results = await repeated(rounds, async () => {
    const alone = await raw.remote.full(load);
    const before = cpuUs(mesh.pids[0] as number);
    const routed = await mesh.ring.remote.full(load);
    const serverUs = (cpuUs(mesh.pids[0] as number) - before) / routed.delivered;
    say(
      `  RabbitMQ alone ${shown(alone.perSecond)}/s, routed ${shown(routed.perSecond)}/s, of a message: ` +
        `server ${shown(serverUs)} µs, load ${shown(routed.cpuUs)} µs`,
    );
    return { alone, routed, ratio: routed.perSecond / alone.perSecond };
  });
  const rate = (pick: (result: (typeof results)[number]) => number) => shown(median(results.map(pick)));
  return [
    {
      key: 'throughput',
      what: 'routed, 10 agents in a ring, seals of 1 KiB, 50 in flight each',
      measured: `${rate(({ routed }) => routed.perSecond)} messages/s`,
      beside: `RabbitMQ alone: ${rate(({ alone }) => alone.perSecond)} messages/s`,
      judged: median(results.map(({ ratio }) => ratio)),
      goal: { atLeast: 0.5 },
      comparable: true,
    },
    wrongs(
      'throughput-wrongs',
      'of them lost, doubled or refused',
      results.map(({ routed }) => routed),
    ),
  ];
}

/** What must not happen to any message. */
export function wrongs(key: string, what: string, results: FullLoadResult[]): Figure {
  const wrong = results.reduce((sum, { accepted, delivered, twice, refused }) => {
    return sum + Math.abs(accepted - delivered) + twice + refused;
  }, 0);
  const all = results.reduce((sum, { delivered }) => sum + delivered, 0);
  return {
    key,
    what,
    measured: `${wrong} messages`,
    beside: `of ${shown(all)}`,
    judged: wrong,
    unit: 'messages',
    goal: { atMost: 0 },
    comparable: false,
  };
}

async function latency({ rounds, quick, say }: Bench, raw: Worker<Raw>, mesh: Mesh): Promise<Figure[]> {
  const pace = { ...PACE, count: quick ? 500 : 1500 };
  const results = await repeated(rounds, async () => {
    const alone = await raw.remote.paced(pace);
    const routed = await mesh.ring.remote.paced(pace);
    say(
      `  at 100/s RabbitMQ alone p50 ${shown(alone.p50)} p99 ${shown(alone.p99)} ms, ` +
        `routed p50 ${shown(routed.p50)} p99 ${shown(routed.p99)} ms`,
    );
    return { alone, routed };
  });
  const middle = (pick: (result: (typeof results)[number]) => number) => median(results.map(pick));
  const [p50, p99] = [middle(({ routed }) => routed.p50), middle(({ routed }) => routed.p99)];
  const [alone50, alone99] = [middle(({ alone }) => alone.p50), middle(({ alone }) => alone.p99)];
  return [
    {
      key: 'latency-p50',
      what: 'accept to delivery at 100 messages/s, median',
      measured: `${shown(p50)} ms`,
      beside: `RabbitMQ alone, publish to deliver: ${shown(alone50)} ms`,
      judged: p50 - alone50,
      unit: 'ms more',
      goal: { atMost: 1.5 },
      comparable: false,
    },
    {
      key: 'latency-ratio',
      what: 'the same as a ratio',
      measured: `${shown(p50)} ms`,
      beside: `${shown(alone50)} ms`,
      judged: p50 / alone50,
      goal: { atMost: 4 },
      comparable: true,
    },
    {
      key: 'latency-p99',
      what: 'the same, 99th percentile',
      measured: `${shown(p99)} ms`,
      beside: `RabbitMQ alone: ${shown(alone99)} ms`,
      judged: p99,
      unit: 'ms',
      goal: { atMost: 10 },
      comparable: false,
    },
  ];
}
