#!/usr/bin/env node
/** The command `dmr`. In a clone it is built first when a source is newer; a published package comes built. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const at = (path) => new URL(`../${path}`, import.meta.url);

if (existsSync(at('tsconfig.build.json'))) {
  // Standard output is the command's own: what a build has to say goes beside it.
  const built = spawnSync(process.execPath, [fileURLToPath(at('scripts/ensure-build.mjs'))], {
    stdio: ['ignore', 2, 2],
  });
  if (built.status !== 0) process.exit(built.status ?? 1);
}
await import(at('dist/lib/cli/dmr.js'));
