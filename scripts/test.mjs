/** `npm test` from a fresh clone: installs the packages when needed, then runs the tests on a broker of their own. */
import { nodeIsNewEnough } from './lib/node-version.mjs';

// Imported late: an old Node may not even be able to read the rest.
if (nodeIsNewEnough()) import('./lib/launch.mjs').then(({ launch }) => launch('run-tests.ts'));
else process.exitCode = 1;
