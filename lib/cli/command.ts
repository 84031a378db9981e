import { FinalError } from '../errors';
import { EXIT, type ExitCode } from './exit-codes';

/** Where a command writes, and the environment it reads; the process's own unless a caller says otherwise. */
export interface Io {
  /** Standard output: what the command was asked for. */
  out(text: string): void;
  /** Standard error: what a person should know besides. */
  err(text: string): void;
  /** Undefined for that of the process. */
  env?: NodeJS.ProcessEnv;
}

/** One option, as data: parsing and help are made from it. */
export interface Option {
  readonly type: 'string' | 'boolean';
  /** One sentence. */
  readonly doc: string;
  /** What stands for the value in the help; options of the type string have one. */
  readonly value?: string;
}

/** What was given for the options: undefined for what was not. */
export type OptionValues<O extends Readonly<Record<string, Option>>> = {
  readonly [Name in keyof O]?: O[Name]['type'] extends 'boolean' ? boolean : string;
};

/** The same for options whose names are not known. */
export type GivenValues = Readonly<Record<string, string | boolean | undefined>>;

/** One command of `dmr`; a new one is a file that defines it and a line in `commands.ts`. */
export interface Command {
  /** The words that call it, such as `keys check`. */
  readonly name: string;
  /** One line. */
  readonly summary: string;
  /** The rest of its help: what it does, and its exit codes. */
  readonly details: string;
  readonly options: Readonly<Record<string, Option>>;
  /** Resolves to the exit code; throws CommandError, or what `main` knows how to tell. */
  run(values: GivenValues, io: Io): Promise<ExitCode>;
}

/** A command whose `run` sees the types of its own options. */
export function defineCommand<O extends Readonly<Record<string, Option>>>(
  command: Omit<Command, 'options' | 'run'> & {
    options: O;
    run(values: OptionValues<O>, io: Io): Promise<ExitCode>;
  },
): Command {
  return command;
}

/** A command ends without its result; the message says who must do what, and goes to standard error. */
export class CommandError extends FinalError {
  constructor(
    readonly exitCode: ExitCode,
    code: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(code, message, options);
  }
}

/** The command was called in a way that it does not know. */
export class UsageError extends CommandError {
  constructor(message: string) {
    super(EXIT.usage, 'USAGE', message);
  }
}
