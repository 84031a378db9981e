/** All tests on a broker of their own: `npm test`, or `npm test -- <arguments of jest>`. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import path from 'node:path';
import { isatty } from 'node:tty';
import { provideBroker } from './lib/broker/provide-broker';
import type { ProvidedBroker } from './lib/broker/types';
import { provideKubectl } from './lib/kubectl';
import { providePrometheus } from './lib/prometheus';
import { runCommand } from './lib/run-command';
import { Stopwatch } from './lib/stopwatch';
import { kubectlEnv, prometheusEnv, testEnv } from './lib/test-env';
import { countsLine } from './lib/test-results';

const JEST = path.join(__dirname, '../node_modules/jest/bin/jest.js');

const work = mkdtempSync(path.join(tmpdir(), 'dmr-test-'));
const results = path.join(work, 'results.json');
const watch = new Stopwatch({ packages: Number(process.env['DMR_PACKAGES_MS'] ?? 0) });

// Only the first signal counts: on a terminal npm passes on what Ctrl-C has sent to all of us already.
const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupt.abort(signal));

async function main(jestArgs: string[]): Promise<number> {
  const interrupted = once(interrupt.signal, 'abort').then(() => {
    throw new Error(`Stopped by ${interrupt.signal.reason}`);
  });
  let broker: ProvidedBroker | undefined;
  let code: number;
  let counts = '';
  try {
    const prepared = await Promise.race([prepare(jestArgs), interrupted]);
    broker = prepared.broker;
    code = await watch.time('tests', Promise.race([runJest(jestArgs, prepared.env), interrupted]));
    // None when jest did not get as far as running tests; it has said why.
    if (existsSync(results)) counts = countsLine(readFileSync(results, 'utf8'));
  } finally {
    await watch.time('stop', broker?.stop());
    rmSync(work, { recursive: true, force: true });
    console.log(watch.report());
  }
  if (counts) console.log(counts);
  return code;
}

const asking = {
  say: (line: string) => console.log(line),
  interactive: isatty(0) && isatty(1),
  env: process.env,
};

/** A broker is mostly waiting, a build mostly computing: side by side. Tests of whole processes run the built ones. */
async function prepare(patterns: string[]): Promise<{ broker: ProvidedBroker; env: Record<string, string> }> {
  const [broker, prometheus, kubectl] = await Promise.all([
    watch.time('broker', startBroker()),
    watch.time('prometheus', providePrometheus(asking)),
    watch.time('kubectl', wantsKubectl(patterns) ? provideKubectl(asking) : undefined),
    watch.time('build', build()),
  ]);
  return { broker, env: { ...testEnv(broker), ...prometheusEnv(prometheus), ...(kubectl && kubectlEnv(kubectl)) } };
}

/** Not where other folders of tests were named: distributions without the package run these all the same. */
function wantsKubectl(patterns: string[]): boolean {
  const others = /^test\/(e2e|integration|monitoring|property|unit|vectors)\b/;
  return patterns.length === 0 || !patterns.every((pattern) => others.test(pattern));
}

async function startBroker(): Promise<ProvidedBroker> {
  // The folder is beside ours: its guard removes it, at times after we are gone.
  const broker = await provideBroker({ ...asking, dataDir: `${work}-broker`, throwAway: true });
  if (!broker.managementUrl)
    throw new Error('The tests need RABBITMQ_DEFAULT_MANAGEMENT_UI_URI of the configured broker');
  return broker;
}

async function build(): Promise<void> {
  const { code, stdout, stderr } = await runCommand(['npm', 'run', 'build']);
  if (code !== 0) throw new Error(`The build failed:\n${stdout}${stderr}`);
}

async function runJest(args: string[], env: Record<string, string>): Promise<number> {
  // Without a terminal Ctrl-C reaches nobody by itself and jest does not end its workers: a group of its own does both.
  // On one it has to stay in the foreground, for `--watch`.
  const detached = !isatty(0);
  const jest = spawn(process.execPath, [JEST, '--json', `--outputFile=${results}`, ...args], {
    stdio: 'inherit',
    env: { ...process.env, ...env },
    detached,
  });
  const end = () => jest.pid && process.kill(detached ? -jest.pid : jest.pid, 'SIGTERM');
  interrupt.signal.addEventListener('abort', end);
  const [code] = (await once(jest, 'exit')) as [number | null];
  interrupt.signal.removeEventListener('abort', end);
  return code ?? 1;
}

function exitCodeOf(error: Error): number {
  console.error(error.message);
  return interrupt.signal.aborted ? 128 + constants.signals[interrupt.signal.reason as NodeJS.Signals] : 1;
}

// Ends even with a broker half started: its guard sees this process go and takes it down.
void main(process.argv.slice(2))
  .catch(exitCodeOf)
  .then((code) => process.exit(code));
