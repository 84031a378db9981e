import { createRequire } from 'node:module';
import path from 'node:path';
import { clearInterval, setInterval } from 'node:timers';
import { fileURLToPath } from 'node:url';
import { ensurePackages } from './packages.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Runs a TypeScript file of scripts/ in this very process, as `tsx <file>` would in another: with one process there are
 * no signals to pass on, no exit code to copy and no child that could be left behind. Installs the packages first.
 */
export function launch(script) {
  const require = createRequire(import.meta.url);
  try {
    process.env.DMR_PACKAGES_MS = String(ensurePackages(root));
    process.chdir(root);
    require('tsx/cjs/api').register();
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
    return;
  }
  endWithNpm();
  process.argv[1] = path.join(root, 'scripts', script);
  require(process.argv[1]);
}

/** npm starts us through a shell, which does not pass on the SIGTERM that ends it: whoever stops npm means us. */
function endWithNpm() {
  if (!process.env.npm_lifecycle_event) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGTERM');
  }, 500).unref();
}
