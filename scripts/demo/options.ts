import { parseArgs } from 'node:util';

export interface DemoOptions {
  /** End after the first answer. */
  once: boolean;
  help: boolean;
  /** Where everything lives that is kept between two runs. */
  dataDir: string;
}

/** The person at the keyboard asked for something that is not there. */
export class UsageError extends Error {}

export const HELP = `\
Usage: npm start [-- options]

Starts RabbitMQ, a DMR server and the agents and chatbots of two organisations, all on this machine, sends a citizen's
question from one organisation to the other, shows the way it took and stays up until Ctrl-C.

  --once            end after the first answer: exit code 0 when it came, another when it did not
  --data-dir <dir>  keep RabbitMQ's data, the agents' keys and the logs in <dir> (default .dmr)
  --help            show this text

With RABBITMQ_DEFAULT_HOST, _PORT, _USER, _PASS and _VHOST set, that broker is used and no other one is started. Its
vhost should be for the demo alone: the demo's server joins whatever mesh is there.
`;

/**
 * Reads the command line.
 * @throws {UsageError} when it asks for something unknown
 */
export function readOptions(args: string[]): DemoOptions {
  try {
    const { values } = parseArgs({
      args,
      options: {
        once: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
        'data-dir': { type: 'string', default: '.dmr' },
      },
    });
    return { once: values.once, help: values.help, dataDir: values['data-dir'] };
  } catch (error) {
    const [what] = (error as Error).message.split('. ');
    throw new UsageError(`${what}. "npm start -- --help" shows what there is.`, { cause: error });
  }
}
