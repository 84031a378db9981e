import path from 'node:path';
import { createInterface } from 'node:readline/promises';
import { runCommand } from '../run-command';
import type { RunCommand } from '../run-command';
import type { Command } from './types';

const SCRIPT = path.join(__dirname, 'install-debian.sh');

/** How this process may become root: it is, `sudo` needs no password, `sudo` may ask for one, or not at all. */
export type Root = 'root' | 'sudo' | 'sudo-asks' | 'none';

/** The command that installs Debian's package, or nothing when this process may not. */
export function installCommand(root: Root, interactive: boolean): Command | undefined {
  if (root === 'root') return ['sh', SCRIPT];
  if (root === 'sudo') return ['sudo', '-n', 'sh', SCRIPT];
  if (root === 'sudo-asks' && interactive) return ['sudo', 'sh', SCRIPT];
  return undefined;
}

/** Finds out which kind of root this process can be. */
export async function probeRoot(uid: number | undefined, run: RunCommand = runCommand): Promise<Root> {
  if (uid === 0) return 'root';
  const { code } = await run(['sudo', '-n', 'true'], { timeoutMs: 5000 });
  if (code === 0) return 'sudo';
  return code === 127 ? 'none' : 'sudo-asks';
}

/**
 * Installs Debian's `rabbitmq-server`.
 * @throws with the end of apt's own output when the package could not be installed
 */
export async function installServer(command: Command, say: (line: string) => void, run: RunCommand = runCommand) {
  say('Installing the Debian package rabbitmq-server (about a minute; its system service stays off) …');
  const { code, stdout, stderr } = await run(command);
  if (code === 0) return;
  const output = `${stdout}${stderr}`.trimEnd().split('\n').slice(-20).join('\n');
  throw new Error(`rabbitmq-server could not be installed: "${command.join(' ')}" ended with ${code}.\n${output}`);
}

/** Asks the person at the terminal; an empty answer means yes. Rejects on Ctrl-C. */
export async function mayInstall(): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    const answer = await terminal.question('No RabbitMQ found. Install the Debian package rabbitmq-server? [Y/n] ');
    return /^\s*(y(es)?)?\s*$/i.test(answer);
  } finally {
    terminal.close();
  }
}
