import { parseArgs } from 'node:util';
import { FAULT_NAMES } from './faults';

export interface DrillOptions {
  help: boolean;
  /** In all, shared by the faults. */
  messages: number;
  /** Per second. */
  rate: number;
  /** Names, in the order of the drill. */
  faults: string[];
  seed: number;
  /** RabbitMQ nodes: 1 or 3. */
  brokers: number;
  /** How long a fault lasts that has a duration, ms. */
  holdMs: number;
  /** How long an accepted message may be on its way after the load has ended before it counts as lost, ms. */
  settleMs: number;
  /** File that describes agents of somebody's own staging; the drill then starts nothing itself. */
  staging: string | undefined;
  /** Faults of one's own: name and command. */
  commands: { name: string; command: string }[];
  /** Where logs and data stay; a folder of its own in the system's temporary one when not given. */
  dataDir: string | undefined;
}

/** The person at the keyboard asked for something that is not there. */
export class UsageError extends Error {}

export const HELP = `\
Usage: npm run drill [-- options]

Runs a whole mesh in processes on this machine (RabbitMQ, two servers, four agents with their chatbots) under a steady
load, breaks one thing after the other, and keeps a ledger of every message. Exit code 1 when one was lost or arrived
twice, or when the mesh did not come back within a minute after a fault.

  --short           one RabbitMQ node, 2,000 messages, brief faults: under five minutes
  --messages <n>    messages in all (default 100000)
  --rate <n>        messages per second (default 150)
  --fault <names>   only these, separated by commas
  --seed <n>        the same seed picks the same victims (default: a new one, which is printed)
  --brokers <n>     RabbitMQ nodes, 1 or 3 (default 3)
  --hold <s>        how long faults last that have a duration (default 15)
  --settle <s>      how long an accepted message may take after the end before it counts as lost (default 200, longer
                    than servers and agents try with their default settings)
  --data-dir <dir>  keep the logs and the data there
  --staging <file>  drill agents that run elsewhere, see docs/reliability.md
  --exec <name=command>  with --staging: a fault of your own, over when the command ends; may be given several times
  --help            show this text

Faults: ${FAULT_NAMES.join(', ')}
`;

const FULL = { messages: '100000', rate: '150', brokers: '3', hold: '15' };
const SHORT = { messages: '2000', rate: '80', brokers: '1', hold: '3' };

/**
 * Reads the command line.
 * @throws {UsageError} when it asks for something unknown
 */
export function readOptions(args: string[]): DrillOptions {
  const values = parsed(args);
  const size = values.short ? SHORT : FULL;
  const brokers = whole('--brokers', values.brokers ?? size.brokers, 1, 3);
  if (brokers === 2) throw new UsageError('--brokers wants 1 or 3: two nodes have no majority when one fails');
  return {
    help: values.help,
    messages: whole('--messages', values.messages ?? size.messages, 1, 10_000_000),
    rate: whole('--rate', values.rate ?? size.rate, 1, 100_000),
    faults: values.fault === undefined ? [...FAULT_NAMES] : known(values.fault.split(',')),
    seed: whole('--seed', values.seed ?? String(Date.now() % 1_000_000), 0, 2 ** 32 - 1),
    brokers,
    holdMs: 1000 * whole('--hold', values.hold ?? size.hold, 1, 600),
    settleMs: 1000 * whole('--settle', values.settle ?? '200', 1, 86_400),
    staging: values.staging,
    commands: (values.exec ?? []).map(commandOf),
    dataDir: values['data-dir'],
  };
}

function parsed(args: string[]) {
  const text = { type: 'string' } as const;
  try {
    const options = {
      short: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
      messages: text,
      rate: text,
      fault: text,
      seed: text,
      brokers: text,
      hold: text,
      settle: text,
      staging: text,
      exec: { type: 'string', multiple: true },
      'data-dir': text,
    } as const;
    return parseArgs({ args, options }).values;
  } catch (error) {
    const [what] = (error as Error).message.split('. ');
    throw new UsageError(`${what}. "npm run drill -- --help" shows what there is.`, { cause: error });
  }
}

function whole(option: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new UsageError(`${option} wants a whole number from ${min} to ${max}, not "${text}"`);
}

function known(names: string[]): string[] {
  const unknown = names.find((name) => !FAULT_NAMES.includes(name));
  if (unknown === undefined) return names;
  throw new UsageError(`There is no fault "${unknown}". There are: ${FAULT_NAMES.join(', ')}`);
}

function commandOf(text: string): { name: string; command: string } {
  const at = text.indexOf('=');
  if (at < 1) throw new UsageError(`--exec wants name=command, not "${text}"`);
  return { name: text.slice(0, at), command: text.slice(at + 1) };
}
