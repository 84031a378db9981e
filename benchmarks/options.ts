import { parseArgs } from 'node:util';
import { CASES } from './cases';

export interface BenchOptions {
  help: boolean;
  quick: boolean;
  /** Names of cases, in the order of the table. */
  only: string[];
  rounds: number;
  measureMs: number;
  /** Profiles instead of measuring. */
  profile: boolean;
  /** Holds the ratios against the committed ones. */
  check: boolean;
  /** Writes the committed results and the table in the README. */
  write: boolean;
}

/** The person at the keyboard asked for something that is not there. */
export class UsageError extends Error {}

export const HELP = `\
Usage: npm run bench [-- options]

Measures a whole mesh in processes on this machine, each figure beside its limit in the same run, and prints a table.

  --quick         fewer rounds, shorter loads, smaller crowds: about five minutes
  --only <names>  only these cases, separated by commas
  --rounds <n>    how often each measurement is taken; its median counts (default 3, 2 with --quick)
  --seconds <n>   how long each load lasts (default 8, 4 with --quick)
  --profile       a CPU profile of server and agents under load, and where the time of a message goes
  --check         exit code 1 when a ratio is worse than the committed one by more than its tolerance
  --write         write the results into benchmarks/results.json and the table into README.md
  --help          show this text

Cases: ${Object.keys(CASES).join(', ')}
`;

/**
 * Reads the command line.
 * @throws {UsageError} when it asks for something unknown
 */
export function readOptions(args: string[]): BenchOptions {
  const { quick, help, profile, check, write, ...values } = parsed(args);
  return {
    ...{ quick, help, profile, check, write },
    only: values.only === undefined ? Object.keys(CASES) : known(values.only.split(',')),
    rounds: whole('--rounds', values.rounds ?? (quick ? '2' : '3'), 1, 100),
    measureMs: 1000 * whole('--seconds', values.seconds ?? (quick ? '4' : '8'), 1, 600),
  };
}

function parsed(args: string[]) {
  const [flag, text] = [{ type: 'boolean', default: false } as const, { type: 'string' } as const];
  const options = {
    ...{ quick: flag, profile: flag, check: flag, write: flag, help: { ...flag, short: 'h' } },
    ...{ only: text, rounds: text, seconds: text },
  } as const;
  try {
    return parseArgs({ args, options }).values;
  } catch (error) {
    const [what] = (error as Error).message.split('. ');
    throw new UsageError(`${what}. "npm run bench -- --help" shows what there is.`, { cause: error });
  }
}

function known(names: string[]): string[] {
  const unknown = names.find((name) => !(name in CASES));
  if (unknown === undefined) return Object.keys(CASES).filter((name) => names.includes(name));
  throw new UsageError(`There is no case "${unknown}". There are: ${Object.keys(CASES).join(', ')}`);
}

function whole(option: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new UsageError(`${option} wants a whole number from ${min} to ${max}, not "${text}"`);
}
