import { parseArgs } from 'node:util';
import { ConfigError } from '../config';
import { DmrError, messageOf } from '../errors';
import { ownVersion } from '../telemetry/version';
import { CommandError, UsageError, type Command, type Io, type GivenValues } from './command';
import { COMMANDS } from './commands';
import { EXIT, type ExitCode } from './exit-codes';
import { helpOf, overview } from './help';

/**
 * Runs one command line, given without the program's name, and resolves to its exit code; never rejects. What fails is
 * one line on standard error.
 */
export async function main(argv: readonly string[], io: Io): Promise<ExitCode> {
  try {
    return await dispatch(argv, io);
  } catch (error) {
    io.err(`dmr: ${messageOf(error)}\n`);
    if (argv.includes('--json')) io.out(`${JSON.stringify({ outcome: codeOf(error), message: messageOf(error) })}\n`);
    if (error instanceof UsageError) io.err('Try: dmr help\n');
    return exitCodeOf(error);
  }
}

function codeOf(error: unknown): string {
  return error instanceof DmrError || error instanceof ConfigError ? error.code : 'INTERNAL';
}

function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CommandError) return error.exitCode;
  if (error instanceof ConfigError) return EXIT.config;
  return error instanceof DmrError && error.retryable ? EXIT.unavailable : EXIT.software;
}

async function dispatch(argv: readonly string[], io: Io): Promise<ExitCode> {
  const [first, ...rest] = argv;
  if (first === undefined) throw new UsageError('a command is missing');
  if (first === '--version' && rest.length === 0) return print(io, `${ownVersion()}\n`);
  if ((first === '--help' || first === 'help') && rest.length === 0) return print(io, overview(COMMANDS));
  if (first === 'help') return print(io, helpOf(commandOf(rest)));
  const command = commandOf(argv);
  const args = argv.slice(command.name.split(' ').length);
  if (args.includes('--help')) return print(io, helpOf(command));
  return command.run(parsed(command, args), io);
}

function print(io: Io, text: string): ExitCode {
  io.out(text);
  return EXIT.ok;
}

function commandOf(argv: readonly string[]): Command {
  const words = argv.join(' ');
  const command = COMMANDS.find(({ name }) => words === name || words.startsWith(`${name} `));
  if (command) return command;
  const [first = ''] = argv;
  throw new UsageError(first.startsWith('-') ? `unknown option ${first}` : `unknown command "${first}"`);
}

function parsed({ options }: Command, args: string[]): GivenValues {
  const types = Object.entries(options).map(([name, { type }]) => [name, { type }] as const);
  try {
    const { values } = parseArgs({ args, options: Object.fromEntries(types), strict: true, allowPositionals: false });
    return values;
  } catch (error) {
    const { code, message } = error as { code?: unknown; message: string };
    if (typeof code === 'string' && code.startsWith('ERR_PARSE_ARGS')) throw new UsageError(message);
    throw error;
  }
}
