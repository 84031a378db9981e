import { Errors, type ServiceBroker } from 'moleculer';

/** What moleculer-repl hands to a command: its arguments by name, and the flags. */
export interface CommandArgs {
  options: Record<string, string | boolean | undefined>;
  [argument: string]: unknown;
}

/** A command as moleculer-repl takes it (`replCommands` of the broker's options). */
export interface Command {
  command: string;
  description: string;
  options: { option: string; description: string }[];
  action(broker: ServiceBroker, args: CommandArgs): Promise<void>;
}

/** What a command does: asks for the answer, and says it in words for people. */
export interface CommandWork<T> {
  ask(broker: ServiceBroker, args: CommandArgs): Promise<T>;
  text(answer: T, args: CommandArgs): string;
  /** What `--json` prints, where that is not the whole answer. */
  json?(answer: T): unknown;
}

const JSON_OPTION = { option: '--json', description: 'Print JSON' };

/** What somebody typed cannot be meant: said in one line. */
export class UsageError extends Error {}

/**
 * A command that prints what an action answers: as text, or with `--json` as one JSON value. An answer that says what is
 * wrong becomes one line, `{"error": {code, message}}` in JSON; anything unexpected is thrown on.
 */
export function command<T>(
  name: string,
  description: string,
  options: Command['options'],
  work: CommandWork<T>,
): Command {
  return {
    command: name,
    description,
    options: [...options, JSON_OPTION],
    async action(broker, args) {
      const isJson = args.options['json'] === true;
      try {
        const answer = await work.ask(broker, args);
        print(isJson ? JSON.stringify(work.json ? work.json(answer) : answer) : work.text(answer, args));
      } catch (error) {
        const problem = problemOf(error);
        if (!problem) throw error;
        print(isJson ? JSON.stringify({ error: problem }) : problem.message);
      }
    },
  };
}

const OUT_OF_REACH =
  'No router in reach: an agent is not part of the mesh, and a server node needs a moment to meet the others.';

function problemOf(error: unknown): { code: string; message: string } | undefined {
  if (error instanceof UsageError) return { code: 'USAGE', message: error.message };
  if (error instanceof Errors.ServiceNotFoundError || error instanceof Errors.ServiceNotAvailableError) {
    return { code: 'OUT_OF_REACH', message: OUT_OF_REACH };
  }
  if (error instanceof Errors.RequestTimeoutError) {
    return { code: 'TIMEOUT', message: 'No answer in time; what was asked for may go on: look before you repeat it.' };
  }
  if (error instanceof Errors.ValidationError) return { code: 'USAGE', message: whatIsWrong(error) };
  const { code, message } = error as { code?: unknown; message?: unknown };
  // Errors of ours carry a code of letters, see lib/errors.ts.
  return typeof code === 'string' && /^[A-Z][A-Z_]+$/.test(code) ? { code, message: String(message) } : undefined;
}

function whatIsWrong(error: Errors.ValidationError): string {
  const violations = (error.data as { field?: string; message?: string }[] | undefined) ?? [];
  const texts = violations.map(({ message }) => message).filter((text) => text !== undefined);
  return texts.length > 0 ? texts.join(' ') : error.message;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
