import path from 'node:path';
import { runAsRepl } from '../config';
import { defineCommand } from './command';
import type { ExitCode } from './exit-codes';

/** Built, as whatever Moleculer's runner starts: this file lies in `dist/lib/cli`. */
const NODE_CONFIG = path.join(__dirname, '../../moleculer.config.js');

/** `dmr repl`: what `npm run repl` starts, also where there is no npm script that could, as in an image. */
export const repl = defineCommand({
  name: 'repl',
  summary: 'Joins the mesh with a prompt for an operator',
  details: `
Needs RABBITMQ_DEFAULT_* of a server and opens no port, so it may be started in the container of a
server that runs, with all of its variables. help shows the commands, q ends it.

Exit codes: 0 ended by q or the end of the input, 1 it did not start, 64 wrong usage, 78 a variable is
missing or wrong.`,
  options: {},
  async run() {
    runAsRepl();
    // Late: no other command has to wait for Moleculer.
    const { Runner } = await import('moleculer');
    await new Runner().start([process.execPath, 'dmr', '--config', NODE_CONFIG, '--repl']);
    // The node ends the process.
    return new Promise<ExitCode>(() => undefined);
  },
});
