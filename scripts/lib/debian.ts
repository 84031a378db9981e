import { existsSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline/promises';
import { Turns } from '../../lib/turns';
import type { Command } from './broker/types';
import { runCommand } from './run-command';
import type { RunCommand } from './run-command';

const SCRIPT = path.join(__dirname, 'install-debian.sh');

/** A package of Debian and Ubuntu that this project can install, see install-debian.sh for what stays off. */
export type DebianPackage = 'rabbitmq-server' | 'prometheus' | 'kubernetes-client';

/** How this process may become root: it is, `sudo` needs no password, `sudo` may ask for one, or not at all. */
export type Root = 'root' | 'sudo' | 'sudo-asks' | 'none';

const turns = new Turns();

/** The command that installs a package of Debian, or nothing when this process may not. */
export function installCommand(root: Root, interactive: boolean, name: DebianPackage): Command | undefined {
  if (root === 'root') return ['sh', SCRIPT, name];
  if (root === 'sudo') return ['sudo', '-n', 'sh', SCRIPT, name];
  if (root === 'sudo-asks' && interactive) return ['sudo', 'sh', SCRIPT, name];
  return undefined;
}

/** The same for this machine: nothing as well where there is no apt. */
export async function installCommandHere(interactive: boolean, name: DebianPackage): Promise<Command | undefined> {
  if (!existsSync('/usr/bin/apt-get')) return undefined;
  return installCommand(await probeRoot(process.getuid?.()), interactive, name);
}

/** Finds out which kind of root this process can be. */
export async function probeRoot(uid: number | undefined, run: RunCommand = runCommand): Promise<Root> {
  if (uid === 0) return 'root';
  const { code } = await run(['sudo', '-n', 'true'], { timeoutMs: 5000 });
  if (code === 0) return 'sudo';
  return code === 127 ? 'none' : 'sudo-asks';
}

/**
 * Installs a package, after a question where a person can answer; false when the answer is no. One at a time: apt has one
 * lock, and a person one keyboard.
 * @throws with the end of apt's own output when the package could not be installed
 */
export function install(
  name: DebianPackage,
  command: Command,
  { interactive, say }: { interactive: boolean; say: (line: string) => void },
): Promise<boolean> {
  return turns.run('apt', async () => {
    if (interactive && !(await mayInstall(name))) return false;
    await installPackage(name, command, say);
    return true;
  });
}

/**
 * Installs a package.
 * @throws with the end of apt's own output when the package could not be installed
 */
export async function installPackage(
  name: DebianPackage,
  command: Command,
  say: (line: string) => void,
  run: RunCommand = runCommand,
): Promise<void> {
  say(`Installing the Debian package ${name} (up to a minute; its system service stays off) …`);
  const { code, stdout, stderr } = await run(command);
  if (code === 0) return;
  const output = `${stdout}${stderr}`.trimEnd().split('\n').slice(-20).join('\n');
  throw new Error(`${name} could not be installed: "${command.join(' ')}" ended with ${code}.\n${output}`);
}

/** Asks the person at the terminal; an empty answer means yes. Rejects on Ctrl-C. */
async function mayInstall(name: DebianPackage): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    const answer = await terminal.question(`No ${name} found. Install the Debian package ${name}? [Y/n] `);
    return /^\s*(y(es)?)?\s*$/i.test(answer);
  } finally {
    terminal.close();
  }
}
