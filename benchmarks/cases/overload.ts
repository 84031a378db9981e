import { PAYLOAD_BYTES, SENDERS, type Case } from '../lib/bench';
import { shown } from '../lib/figure';
import { peakRssBytes } from '../lib/process-stats';
import { wrongs } from './routing';

const MEGABYTE = 1e6;

/** Far more in flight than a server can hold in its hands at a time. */
export const overload: Case = async ({ ground, measureMs, say }) => {
  const mesh = await ground.mesh({ agents: SENDERS });
  try {
    const load = {
      senders: SENDERS,
      inFlight: 1000,
      warmUpMs: 1000,
      measureMs: 2 * measureMs,
      payloadBytes: PAYLOAD_BYTES,
    };
    const result = await mesh.ring.remote.full(load);
    const peak = peakRssBytes(mesh.pids[0] as number) / MEGABYTE;
    const { perSecond, late, ack, refusal } = result;
    say(
      `  overload ${shown(perSecond)}/s, ack p50 ${shown(ack.p50)} p99 ${shown(ack.p99)} ms, ${late} late, ${shown(peak)} MB`,
    );
    if (refusal) say(`  first refusal: ${refusal}`);
    return [
      {
        key: 'overload-late',
        what: 'overload, 10 agents with 1,000 in flight each: acks after more than 2 s, the wait of an agent',
        measured: `${late} messages`,
        beside: `of ${shown(result.sent)}; median ${shown(ack.p50)} ms`,
        judged: late,
        unit: 'messages',
        goal: { atMost: 0 },
        comparable: false,
      },
      wrongs('overload-wrongs', 'of them lost, doubled or refused', [result]),
      {
        key: 'overload-memory',
        what: 'the most memory of the server meanwhile',
        measured: `${shown(peak)} MB`,
        beside: '',
        judged: peak,
        unit: 'MB',
        goal: { atMost: 250 },
        comparable: true,
      },
    ];
  } finally {
    await mesh.stop();
  }
};
