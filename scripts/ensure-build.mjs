/**
 * Builds `dist` when it is missing or older than a source; run before a node starts. Where only the packages of
 * production are installed nothing can be built, and `dist` is taken as it came.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const SOURCES = [
  'lib',
  'public',
  'mixins',
  'services',
  'types',
  'moleculer.config.ts',
  'tsconfig.json',
  'tsconfig.build.json',
];
const BUILT = path.join(ROOT, 'dist/moleculer.config.js');

/** Folders count as well: they change when a file goes. */
function newestMs(file) {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (!stat?.isDirectory()) return stat?.mtimeMs ?? 0;
  return Math.max(stat.mtimeMs, ...readdirSync(file).map((name) => newestMs(path.join(file, name))));
}

function isOld() {
  const built = statSync(BUILT, { throwIfNoEntry: false });
  return !built || SOURCES.some((source) => newestMs(path.join(ROOT, source)) > built.mtimeMs);
}

if (existsSync(path.join(ROOT, 'node_modules/typescript'))) {
  if (isOld())
    process.exit(spawnSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: 'inherit' }).status ?? 1);
} else if (!existsSync(BUILT)) {
  console.error('There is no dist to start from and no compiler to make it: run "npm ci" and "npm run build" first.');
  process.exit(1);
}
