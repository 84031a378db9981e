/** The benchmark: `npm run bench`, or `npm run bench -- --help`. */
import { isatty } from 'node:tty';
import { provideServer } from '../scripts/lib/broker/provide-broker';
import { CASES } from './cases';
import { compare } from './lib/compare';
import type { Figure } from './lib/figure';
import { Ground } from './lib/ground';
import { machine } from './lib/machine';
import { HELP, readOptions, UsageError, type BenchOptions } from './options';
import { profile } from './profile';
import { committed, write } from './results';
import { table } from './lib/table';

/** EX_USAGE of sysexits.h. */
const EXIT_USAGE = 64;

const say = (line = '') => void process.stdout.write(`${line}\n`);

async function main(options: BenchOptions): Promise<number> {
  if (options.help) return (say(HELP), 0);
  await provideServer({ env: process.env, interactive: isatty(0) && isatty(1), say });
  if (options.profile) return (await onGround((ground) => profile(ground, options.measureMs, say)), 0);
  const figures = await measured(options);
  say(`\n${machine()}\n\n${table(figures)}`);
  if (options.write) await write(figures);
  return options.check ? checked(figures) : 0;
}

async function measured({ only, ...options }: BenchOptions): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const name of only) {
    say(`${name} …`);
    // Each on a broker of its own: what one leaves behind must not slow the next.
    figures.push(...(await onGround((ground) => CASES[name]!({ ground, say, ...options }))));
  }
  return figures;
}

async function onGround<T>(work: (ground: Ground) => Promise<T>): Promise<T> {
  const ground = await Ground.start();
  try {
    return await work(ground);
  } finally {
    await ground.stop();
  }
}

function checked(figures: Figure[]): number {
  const complaints = compare(figures, committed());
  for (const complaint of complaints) say(complaint);
  say(complaints.length === 0 ? 'Nothing is worse than the committed results allow.' : '');
  return complaints.length === 0 ? 0 : 1;
}

function exitCodeOf(error: Error): number {
  console.error(`\n${error instanceof UsageError ? error.message : (error.stack ?? error.message)}`);
  return error instanceof UsageError ? EXIT_USAGE : 1;
}

void Promise.resolve()
  .then(() => main(readOptions(process.argv.slice(2))))
  .catch(exitCodeOf)
  .then((code) => process.exit(code));
