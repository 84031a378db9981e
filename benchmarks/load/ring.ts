/** Agents in a ring, each sending to the next, over one socket each: the load on a server. */
import { createPrivateKey } from 'node:crypto';
import { Driver } from './drive';
import { LeanAgent } from './lean-agent';
import { envelope } from './letters';
import { serve } from './worker';

export interface RingPlan {
  /** Base URLs; agents take them in turn. */
  urls: string[];
  namespace: string;
  ids: string[];
  privateKeyPem: string;
}

/** Logins at a time. */
const DOOR_WIDTH = 20;

let agents: LeanAgent[] = [];
let senders = 0;

const driver = new Driver((sender, n, payload) => {
  const [from, to] = [agents[sender], agents[(sender + 1) % senders]] as [LeanAgent, LeanAgent];
  from.send(n, envelope(n, from.id, to.id, payload));
});

/** Logs all in; resolves to how long that took, ms. */
async function connect({ urls, namespace, ids, privateKeyPem }: RingPlan): Promise<number> {
  const key = createPrivateKey(privateKeyPem);
  const first = agents.length;
  const joining = ids.map((id, i) => {
    const acked = (tag: number, ok: boolean, text: string) => driver.acked(first + i, tag, ok, text);
    const arrived = (text: string) => driver.arrived(text);
    return new LeanAgent(id, key, urls[i % urls.length] as string, namespace, { acked, arrived });
  });
  const began = performance.now();
  const queue = [...joining];
  const enter = async () => {
    for (let agent = queue.shift(); agent; agent = queue.shift()) await agent.login();
  };
  await Promise.all(Array.from({ length: DOOR_WIDTH }, enter));
  agents.push(...joining);
  return performance.now() - began;
}

function disconnect(): void {
  for (const agent of agents) agent.close();
  agents = [];
}

/** Logs all in; resolves when so many messages that waited for them have arrived, with how long that took. */
async function drain(plan: RingPlan, count: number): Promise<{ ms: number; twice: number }> {
  const began = performance.now();
  const all = driver.arrivals(count);
  await connect(plan);
  const { twice } = await all;
  return { ms: performance.now() - began, twice };
}

const methods = {
  connect,
  drain,
  disconnect,
  full: (load: Parameters<Driver['full']>[0]) => ((senders = load.senders), driver.full(load)),
  paced: (load: Parameters<Driver['paced']>[0]) => ((senders = load.senders), driver.paced(load)),
};
export type Ring = typeof methods;
serve(methods);
