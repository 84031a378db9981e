import { writeSecret } from '../setup/secret-files';
import { FinalError, messageOf } from '../errors';
import { OWN_DEFINITIONS, renderDefinitions } from '../setup/render-definitions';
import { CommandError, defineCommand, UsageError } from './command';
import { EXIT, type ExitCode } from './exit-codes';

const EXIT_CODES: Readonly<Record<string, ExitCode>> = {
  DEFINITIONS_UNREADABLE: EXIT.noInput,
  DEFINITIONS_INVALID: EXIT.unusableInput,
  PASSWORD_UNUSABLE: EXIT.unusableInput,
  PASSWORD_UNREADABLE: EXIT.noInput,
  PASSWORD_MISSING: EXIT.noInput,
};

/** `dmr broker definitions`: what a RabbitMQ loads at its start. */
export const brokerDefinitions = defineCommand({
  name: 'broker definitions',
  summary: "Writes RabbitMQ's definitions with the hashes of its users' passwords",
  details: `
RabbitMQ loads the result at its start (load_definitions). It holds users, rights, the virtual host and
limits, and of each password a salted hash. Every user of the definitions needs a file in the folder
of --passwords, named after the user and with nothing but the password in it.

Exit codes: 0 written, 64 wrong usage, 65 the definitions are no JSON with a list of users or a
password cannot be used, 66 a file cannot be read or a password is missing, 73 the output cannot be written.`,
  options: {
    passwords: { type: 'string', value: 'FOLDER', doc: 'A folder with a file for each user' },
    definitions: { type: 'string', value: 'FILE', doc: "The definitions without passwords; this package's by default" },
    out: {
      type: 'string',
      value: 'FILE',
      doc: 'Where the result goes, in place of what is there; - is standard output',
    },
  },
  run({ passwords, definitions = OWN_DEFINITIONS, out }, io) {
    if (!passwords) throw new UsageError('--passwords is missing');
    if (!out) throw new UsageError('--out is missing');
    const text = rendered(definitions, passwords);
    if (out === '-') io.out(text);
    else written(out, text);
    return Promise.resolve(EXIT.ok);
  },
});

function rendered(definitions: string, passwords: string): string {
  try {
    return renderDefinitions(definitions, passwords);
  } catch (error) {
    if (!(error instanceof FinalError)) throw error;
    const { code, message, cause } = error;
    throw new CommandError(EXIT_CODES[code] ?? EXIT.software, code, message, { cause });
  }
}

function written(file: string, text: string): void {
  try {
    writeSecret(file, text);
  } catch (cause) {
    const advice = `the definitions cannot be written to ${file}, name a file that can: ${messageOf(cause)}`;
    throw new CommandError(EXIT.cannotCreate, 'FILE_NOT_WRITTEN', advice, { cause });
  }
}
