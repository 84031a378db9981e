import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { NONSENSE } from './centops';
import type { Child } from '../lib/child';
import type { Load } from './load';
import type { DrillMesh, Member } from './mesh';
import { pick } from './random';
import { closeChannels, closeConnections, deleteQueue, leaderOf, messagesIn } from './broker-faults';

/** What a fault may break. */
export interface Scene {
  mesh: DrillMesh;
  load: Load;
  random: () => number;
  /** How long a fault lasts that has a duration, ms. */
  holdMs: number;
}

/** Breaks something and mends it; resolves when the fault is over and nobody does anything about it any more. */
type Fault = (scene: Scene) => Promise<void>;

const DOWN_MS = 2000;

const anyServer = ({ mesh, random }: Scene) => pick(random, mesh.servers);
const anyMember = ({ mesh, random }: Scene) => pick(random, mesh.members);

/** A supervisor starts what died; the fault is over when the process was started again. */
async function killed(child: Child): Promise<void> {
  await child.kill();
  await delay(DOWN_MS);
  child.start();
}

async function paused(victim: { pause(): void; resume(): void }, holdMs: number): Promise<void> {
  victim.pause();
  await delay(holdMs);
  victim.resume();
}

async function restarted(children: Child[]): Promise<void> {
  for (const child of children) {
    await child.terminate();
    child.start();
    await child.ready();
  }
}

async function chatbotMode(scene: Scene, mode: 'fail' | 'hang'): Promise<void> {
  const member = anyMember(scene);
  await scene.mesh.setChatbot(member, mode);
  await delay(scene.holdMs);
  await scene.mesh.setChatbot(member, 'take');
}

/**
 * A limit of the file size makes every write fail, those into room that the agent has reserved included: worse than a
 * full disk. An agent that ends of it is started again.
 */
async function diskFull({ agent }: Member, holdMs: number): Promise<void> {
  const limit = (size: string) => promisify(execFile)('prlimit', ['--pid', String(agent.pid), `--fsize=${size}`]);
  await limit('4096:unlimited');
  await delay(holdMs);
  await limit('unlimited:unlimited').catch(() => undefined); // it has ended
  if (agent.ended) agent.start();
}

/** The load to the agent is held until its queue is empty: what lies in a queue is gone with it, whoever deletes it. */
async function queueDeleted(scene: Scene): Promise<void> {
  const { mesh, load, holdMs } = scene;
  const { id } = anyMember(scene);
  load.spared.add(id);
  const giveUpAt = Date.now() + 30_000;
  while ((await messagesIn(mesh.cluster, id)) > 0 && Date.now() < giveUpAt) await delay(200);
  await delay(Math.min(holdMs, 2000)); // until what was posted just before has arrived
  await deleteQueue(mesh.cluster, id);
  load.spared.delete(id);
}

async function nonsense({ mesh, holdMs }: Scene): Promise<void> {
  for (const mode of NONSENSE) {
    mesh.centOps.mode = mode;
    await delay(Math.max(holdMs / 2, 3000));
  }
  mesh.centOps.mode = 'good';
}

const FAULTS: Record<string, Fault> = {
  none: ({ holdMs }) => delay(holdMs),
  'server-kill': (scene) => killed(anyServer(scene)),
  'server-pause': (scene) => paused(anyServer(scene), scene.holdMs),
  'agent-kill': (scene) => killed(anyMember(scene).agent),
  'agent-pause': (scene) => paused(anyMember(scene).agent, scene.holdMs),
  'chatbot-kill': (scene) => killed(anyMember(scene).chatbot),
  'chatbot-pause': (scene) => paused(anyMember(scene).chatbot, scene.holdMs),
  'chatbot-500': (scene) => chatbotMode(scene, 'fail'),
  'chatbot-hang': (scene) => chatbotMode(scene, 'hang'),
  'broker-leader-kill': async ({ mesh, random, holdMs }) => {
    const leader = await leaderOf(mesh.cluster, pick(random, mesh.members).id);
    await leader.kill();
    await delay(Math.min(holdMs, 5000));
    await leader.start();
  },
  'broker-pause': async (scene) => {
    const { mesh, random, holdMs } = scene;
    await paused(await leaderOf(mesh.cluster, pick(random, mesh.members).id), holdMs);
  },
  'connections-closed': ({ mesh }) => closeConnections(mesh.cluster),
  'channels-closed': ({ mesh }) => closeChannels(mesh.cluster),
  'queue-deleted': queueDeleted,
  'rolling-restart': ({ mesh }) => restarted(mesh.servers),
  'agents-restart': ({ mesh }) => restarted(mesh.members.map(({ agent }) => agent)),
  'centops-nonsense': nonsense,
  'disk-full': (scene) => diskFull(anyMember(scene), scene.holdMs),
};

export const FAULT_NAMES = Object.keys(FAULTS);

/** Breaks and mends; resolves when the fault is over. */
export function runFault(name: string, scene: Scene): Promise<void> {
  const fault = FAULTS[name];
  if (!fault) throw new Error(`There is no fault ${name}`);
  return fault(scene);
}
