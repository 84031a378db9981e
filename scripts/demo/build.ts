import { readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import path from 'node:path';
import { runCommand } from '../lib/run-command';

const SOURCES = ['lib', 'mixins', 'services', 'types', 'moleculer.config.ts', 'tsconfig.json', 'tsconfig.build.json'];

/** The compiler's note of its last run. */
const NOTE = 'dist/.tsbuildinfo';

/** Says whether a source below `root` is newer than the last build there. */
export function buildIsOld(root: string): boolean {
  const built = statSync(path.join(root, NOTE), { throwIfNoEntry: false });
  return !built || SOURCES.some((source) => newestMs(path.join(root, source)) > built.mtimeMs);
}

/**
 * Runs `npm run build`.
 * @throws with what the compiler said when it fails
 */
export async function build(root: string): Promise<void> {
  const startedAt = new Date();
  const note = path.join(root, NOTE);
  const { code, stdout, stderr } = await runCommand(['npm', 'run', '--silent', 'build']);
  if (code !== 0) {
    rmSync(note, { force: true }); // the compiler writes it all the same, and the next start would trust it
    throw new Error(`The build failed:\n${stdout}${stderr}`.trimEnd());
  }
  utimesSync(note, startedAt, startedAt); // the compiler leaves it when there was nothing to write
}

/** Folders count as well: they change when a file goes. */
function newestMs(file: string): number {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (!stat?.isDirectory()) return stat?.mtimeMs ?? 0;
  return Math.max(stat.mtimeMs, ...readdirSync(file).map((name) => newestMs(path.join(file, name))));
}
