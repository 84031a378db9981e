/** The drill: `npm run drill`, or `npm run drill -- --help`. */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isatty } from 'node:tty';
import { campaign, type Disturbance } from './drill/campaign';
import { runFault } from './drill/faults';
import { Journals } from './drill/journals';
import { Ledger } from './drill/ledger';
import { Load, type Door } from './drill/load';
import { DrillMesh } from './drill/mesh';
import { HELP, readOptions, UsageError, type DrillOptions } from './drill/options';
import { refuse } from './drill/queues';
import { seededRandom } from './drill/random';
import { listenAsChatbots, readStaging, runCommand } from './drill/staging';
import { passed, table, type Row } from './drill/table';
import { startCluster } from './lib/broker/cluster';
import { provideServer } from './lib/broker/provide-broker';

/** EX_USAGE of sysexits.h. */
const EXIT_USAGE = 64;

const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupt.abort(signal));
setInterval(() => {}, 1 << 30); // most of what is waited for keeps no process alive

const say = (line = '') => void process.stdout.write(`${line}\n`);

/** What the load goes through, whoever runs it. */
interface Ground {
  doors: Door[];
  journals: string[];
  disturbances: (load: Load) => Disturbance[];
  /** Notes in the ledger what was put away, and where. */
  look: (ledger: Ledger) => Promise<void>;
  stop: () => Promise<void>;
}

async function main(options: DrillOptions): Promise<number> {
  if (options.help) return (say(HELP), 0);
  const dir = folder(options);
  say(`Drill with seed ${options.seed}, logs in ${dir}`);
  const ground = await (options.staging ? staged(options, options.staging, dir) : ownMesh(options, dir));
  try {
    const ok = await Promise.race([drill(ground, options), interrupted()]);
    if (ok && !options.dataDir) setImmediate(() => rmSync(dir, { recursive: true, force: true }));
    return ok ? 0 : 1;
  } finally {
    await ground.stop();
  }
}

async function drill(ground: Ground, options: DrillOptions): Promise<boolean> {
  const ledger = new Ledger();
  const journals = new Journals(ground.journals, (arrival) => ledger.arrived(arrival));
  const load = new Load(ground.doors, options.rate, ledger, seededRandom(options.seed));
  const disturbances = ground.disturbances(load);
  const quota = Math.ceil(options.messages / disturbances.length);
  const rows = await campaign(disturbances, load, ledger, {
    quota,
    settleMs: options.settleMs,
    say,
    signal: interrupt.signal,
  });
  await ground.look(ledger);
  journals.stop();
  return verdict(rows, ledger);
}

function verdict(rows: Row[], ledger: Ledger): boolean {
  const sums = ledger.sums();
  say(`\n${table(rows, ledger)}\n`);
  for (const { id, fault, from, to } of ledger.lost().slice(0, 20))
    say(`lost: ${id} from ${from} to ${to}, during ${fault}`);
  say(`${sums.lost} lost, ${sums.twice} twice, ${sums.outOfOrder} out of order`);
  return passed(rows, sums);
}

async function ownMesh(options: DrillOptions, dir: string): Promise<Ground> {
  await provideServer({ env: process.env, interactive: isatty(0) && isatty(1), say });
  say(`Starting ${options.brokers} RabbitMQ node(s), 2 servers, 4 agents, 4 chatbots …`);
  const cluster = await startCluster({ nodes: options.brokers, dir: path.join(dir, 'broker') });
  const mesh = await DrillMesh.start(cluster, dir).catch(async (error: unknown) => {
    await cluster.stop();
    throw error;
  });
  const { holdMs, seed } = options;
  const random = seededRandom(seed + 1);
  return {
    doors: mesh.members,
    journals: mesh.members.map(({ journal }) => journal),
    disturbances: (load) =>
      options.faults.map((name) => ({ name, run: () => runFault(name, { mesh, load, random, holdMs }) })),
    look: async (ledger) => {
      const ids = mesh.members.map(({ id }) => id);
      const access = { ...cluster.amqp, ...cluster.nodes[0] };
      for (const { id, where } of await refuse(access, ids, true)) ledger.putAway(id, where);
    },
    stop: async () => {
      await mesh.stop();
      await cluster.stop();
    },
  };
}

async function staged(options: DrillOptions, file: string, dir: string): Promise<Ground> {
  const staging = readStaging(file);
  const chatbots = await listenAsChatbots(staging, dir);
  const own = options.commands.map(({ name, command }) => ({ name, run: () => runCommand(command) }));
  return {
    doors: staging.agents,
    journals: chatbots.journals,
    disturbances: () => [{ name: 'none', run: () => delay(options.holdMs) }, ...own],
    look: async (ledger) => {
      if (!staging.amqp) return;
      const ids = staging.agents.map(({ id }) => id);
      for (const { id, where } of await refuse(staging.amqp, ids, false)) ledger.putAway(id, where);
    },
    stop: () => Promise.resolve(chatbots.stop()),
  };
}

function folder({ dataDir }: DrillOptions): string {
  if (!dataDir) return mkdtempSync(path.join(tmpdir(), 'dmr-drill-'));
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  return path.resolve(dataDir);
}

async function interrupted(): Promise<never> {
  await once(interrupt.signal, 'abort');
  throw new Error(`Stopped by ${interrupt.signal.reason}`);
}

function exitCodeOf(error: Error): number {
  console.error(`\n${error instanceof UsageError ? error.message : (error.stack ?? error.message)}`);
  if (error instanceof UsageError) return EXIT_USAGE;
  return interrupt.signal.aborted ? 128 + constants.signals[interrupt.signal.reason as NodeJS.Signals] : 1;
}

void Promise.resolve()
  .then(() => main(readOptions(process.argv.slice(2))))
  .catch(exitCodeOf)
  .then((code) => process.exit(code));
