import { setTimeout as delay } from 'node:timers/promises';
import { repeated, SENDERS, serverUs, type Case } from '../lib/bench';
import { shown } from '../lib/figure';
import type { Mesh } from '../lib/ground';
import { rssBytes } from '../lib/process-stats';
import { median } from '../lib/statistics';

const QUEUES_LIMIT_MS = 300_000;
const CONSUME_LIMIT_MS = 60_000;

/** What a crowd of agents that are merely there costs. */
export const manyAgents: Case = async (bench) => {
  const { ground, quick, say } = bench;
  const crowd = quick ? 200 : 1000;
  const idle = crowd - SENDERS;
  const mesh = await ground.mesh({ agents: SENDERS, more: idle, nodeArgs: ground.gcArgs });
  const join = (from: number, to: number) =>
    mesh.ring.remote.connect(ground.ringPlan(mesh.servers, mesh.ids.slice(from, to)));
  try {
    await ground.queuesDeclared(2 * crowd, QUEUES_LIMIT_MS);
    await serverUs(bench, mesh); // until what is hot is compiled
    const results = await repeated(bench.rounds, async () => {
      // Both in one process, one right after the other: what a message costs wanders from minute to minute.
      const few = await serverUs(bench, mesh);
      const before = await memoryOf(mesh);
      const began = performance.now();
      await join(SENDERS, crowd);
      await consuming(mesh, crowd);
      const loginMs = performance.now() - began;
      const bytes = ((await memoryOf(mesh)) - before) / idle;
      const many = await serverUs(bench, mesh);
      say(
        `  ${crowd} agents: in after ${shown(loginMs)} ms, ${shown(bytes / 1000)} kB each, ${shown(few)} -> ${shown(many)} µs`,
      );
      await mesh.ring.remote.disconnect();
      await consuming(mesh, 0);
      await join(0, SENDERS);
      return { few, many, loginMs, bytes, cost: many / few };
    });
    const middle = (pick: (result: (typeof results)[number]) => number) => median(results.map(pick));
    const [few, many, loginMs] = [middle((r) => r.few), middle((r) => r.many), middle((r) => r.loginMs)];
    // Of a process that had the crowd before, some memory is still there for the next one.
    const bytes = results[0]?.bytes ?? NaN;
    return [
      {
        key: 'crowd-cost',
        what: `CPU of the server per message with ${crowd} agents connected`,
        measured: `${shown(many)} µs`,
        beside: `10 agents: ${shown(few)} µs`,
        judged: middle(({ cost }) => cost),
        goal: { atMost: 1.3 },
        comparable: true,
      },
      {
        key: 'crowd-memory',
        what: 'memory of the server per idle agent',
        measured: `${shown(bytes / 1000)} kB`,
        beside: '',
        judged: bytes / 1000,
        unit: 'kB',
        goal: { atMost: 60 },
        comparable: true,
      },
      {
        key: 'crowd-login',
        what: `${idle} agents log in at the same time, get the list and are consumed for`,
        measured: `${shown(loginMs / 1000)} s`,
        beside: '',
        judged: loginMs / 1000,
        unit: 's',
        goal: { atMost: 15 },
        comparable: false,
      },
    ];
  } finally {
    await mesh.stop();
  }
};

/** What is in RAM once garbage has been collected, bytes. */
async function memoryOf({ servers, pids }: Mesh): Promise<number> {
  for (let i = 0; i < 3; i++) {
    servers[0]?.child.tell('gc');
    await delay(500);
  }
  return rssBytes(pids[0] as number);
}

/** Resolves when the server consumes the queues of just so many agents. @throws past the limit */
async function consuming({ servers }: Mesh, count: number): Promise<void> {
  let seen = 0;
  for (const giveUpAt = Date.now() + CONSUME_LIMIT_MS; Date.now() < giveUpAt; await delay(250)) {
    const text = await (await fetch(`${servers[0]?.url}/metrics`)).text();
    seen = text.match(/^dmr_agent_consuming\{[^}]*\} 1$/gm)?.length ?? 0;
    if (seen === count) return;
  }
  throw new Error(`${seen} of ${count} queues are consumed after ${CONSUME_LIMIT_MS} ms`);
}
