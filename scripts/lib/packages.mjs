import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';

/**
 * Installs the npm packages unless those in `root` are what package-lock.json asks for.
 * @returns ms it took; throws when npm fails, after npm has said why
 */
export function ensurePackages(root) {
  const start = Date.now();
  if (!packagesInStep(root)) {
    console.error('Installing npm packages …');
    const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
    const { status, error } = spawnSync('npm', args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
    if (status !== 0) throw new Error(`npm ${args[0]} failed: ${error?.message ?? `it ended with ${status}`}`);
  }
  return Date.now() - start;
}

/** Says whether npm's note of what it installed agrees with package-lock.json. Packages of other platforms may be missing. */
export function packagesInStep(root) {
  const wanted = readPackages(path.join(root, 'package-lock.json'));
  const installed = readPackages(path.join(root, 'node_modules/.package-lock.json'));
  const inStep = ([name, { version, integrity, optional }]) =>
    name in installed ? installed[name].version === version && installed[name].integrity === integrity : optional;
  return Object.keys(installed).every((name) => name in wanted) && Object.entries(wanted).every(inStep);
}

function readPackages(file) {
  try {
    const { packages } = JSON.parse(readFileSync(file, 'utf8'));
    delete packages['']; // the project itself, which npm does not install
    return packages;
  } catch {
    return {}; // nothing installed, or an installation that broke off
  }
}
