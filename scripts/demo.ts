/** The demo: `npm start`, or `npm start -- --help`. */
import { once } from 'node:events';
import { constants } from 'node:os';
import { isatty } from 'node:tty';
import { HELP, readOptions, UsageError, type DemoOptions } from './demo/options';
import { Progress } from './demo/progress';
import { World } from './demo/world';
import { findServer } from './lib/broker/find-server';

/** EX_USAGE of sysexits.h. */
const EXIT_USAGE = 64;
const HEADING = `\
DMR: a Tax Office and a Police, each with an agent and a chatbot, and the server between them
`;

// Only the first signal counts: on a terminal npm passes on what Ctrl-C has sent to all of us already.
const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupt.abort(signal));
process.stdout.on('error', () => {}); // a closed terminal takes it away before it sends its signal
setInterval(() => {}, 1 << 30); // most of what is waited for keeps no process alive

let up = false;

async function main({ once, help, dataDir }: DemoOptions): Promise<void> {
  if (help) return void process.stdout.write(HELP);
  const progress = new Progress(process.stdout, isatty(1) && !mayAsk());
  const world = new World({ dataDir, interactive: isatty(0) && isatty(1), env: process.env }, progress);
  progress.print(HEADING);
  try {
    await Promise.race([show(world, once), interrupted(), world.death]);
  } finally {
    progress.giveUp();
    await progress.step('stopped', (say) => {
      say('stopping …');
      return world.stop();
    });
  }
}

async function show(world: World, once: boolean): Promise<void> {
  const scene = await world.start();
  await world.tellStory(scene);
  if (once) return;
  world.showGuide(scene);
  up = true;
  await world.brokerDeath(scene);
}

/** A question to the person, or that of sudo, must not be written over by a live line. */
function mayAsk(): boolean {
  return !process.env['RABBITMQ_DEFAULT_HOST'] && !findServer(process.env['PATH'] ?? '');
}

async function interrupted(): Promise<void> {
  await once(interrupt.signal, 'abort');
  if (!up) throw new Error(`Stopped by ${interrupt.signal.reason} before everything was up`);
}

function exitCodeOf(error: Error): number {
  console.error(`\n${error.message}`);
  if (error instanceof UsageError) return EXIT_USAGE;
  return interrupt.signal.aborted ? 128 + constants.signals[interrupt.signal.reason as NodeJS.Signals] : 1;
}

// Ends even with something half started: its guard sees this process go and takes it down.
void Promise.resolve()
  .then(() => main(readOptions(process.argv.slice(2))))
  .then(() => 0, exitCodeOf)
  .then((code) => process.exit(code));
