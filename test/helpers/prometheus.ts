import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { freePorts } from '../../scripts/lib/broker/free-ports';
import { runCommand } from '../../scripts/lib/run-command';
import { eventually } from './eventually';
import { temporaryFolder } from './temporary-folder';

const NO_PROMETHEUS = 'This test needs Prometheus. Run it with "npm test -- <file>": that provides one.';

/** A series of a query's answer, with its value now. */
export interface Sample {
  labels: Record<string, string>;
  value: number;
}

/** A rule as a running Prometheus sees it. */
export interface LoadedRule {
  file: string;
  name: string;
  query: string;
  health: string;
  lastError?: string;
  state: 'inactive' | 'pending' | 'firing';
}

/** A Prometheus of the test's own. */
export interface Prometheus {
  /** @throws with the words of Prometheus when it does not understand the expression */
  query(expr: string): Promise<Sample[]>;
  /** Names of all metrics that it has ever scraped, and made itself. */
  metricNames(): Promise<string[]>;
  rules(): Promise<LoadedRule[]>;
  /** What it scrapes: `up`, or why not, by URL. */
  targets(): Promise<Record<string, string>>;
  stop(): Promise<void>;
}

interface Answer {
  status: string;
  error?: string;
  data: never;
}

function program(variable: string): string {
  const file = process.env[variable];
  if (!file) throw new Error(NO_PROMETHEUS);
  return file;
}

/** Runs `promtool`; resolves to its output, throws it when promtool objects. */
export async function promtool(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runCommand([program('DMR_TEST_PROMTOOL'), ...args], { timeoutMs: 60_000 });
  if (code !== 0) throw new Error(`promtool ${args[0]} ${args[1]}:\n${stdout}${stderr}`);
  return `${stdout}${stderr}`;
}

/** Starts a Prometheus with a configuration and data that live as long as the test file; it must be stopped. */
export async function startPrometheus(configuration: string): Promise<Prometheus> {
  const folder = temporaryFolder();
  const [port] = await freePorts(1);
  const data = path.join(folder, 'data');
  const file = path.join(folder, 'prometheus.yml');
  mkdirSync(data);
  writeFileSync(file, configuration);
  const args = [`--config.file=${file}`, `--storage.tsdb.path=${data}`, `--web.listen-address=127.0.0.1:${port}`];
  const child = spawn(program('DMR_TEST_PROMETHEUS'), [...args, '--log.level=warn'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = once(child, 'exit');
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const stop = async () => {
    child.kill('SIGKILL'); // its data is for this test alone
    await exited;
  };
  const ask = askAt(`http://127.0.0.1:${port}/api/v1`);
  try {
    await eventually(async () => {
      if (child.exitCode !== null) return true;
      return (await ask('status/runtimeinfo')) !== undefined;
    });
    if (child.exitCode !== null) throw new Error(`Prometheus ended with ${child.exitCode}`);
  } catch (error) {
    await stop();
    throw new Error(`${(error as Error).message}\n${said}`, { cause: error });
  }
  return { ...questions(ask), stop };
}

type Ask = <T>(question: string) => Promise<T>;

function askAt(url: string): Ask {
  return async (question) => {
    const response = await fetch(`${url}/${question}`);
    const { status, error, data } = (await response.json()) as Answer;
    if (status !== 'success') throw new Error(`${decodeURIComponent(question)}: ${error}`);
    return data;
  };
}

function questions(ask: Ask): Omit<Prometheus, 'stop'> {
  return {
    async query(expr) {
      type Result = { result: { metric: Record<string, string>; value: [number, string] }[] };
      const { result } = await ask<Result>(`query?query=${encodeURIComponent(expr)}`);
      return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
    },
    metricNames: () => ask('label/__name__/values'),
    async rules() {
      const { groups } = await ask<{ groups: { file: string; rules: LoadedRule[] }[] }>('rules');
      return groups.flatMap(({ file, rules }) => rules.map((rule) => ({ ...rule, file })));
    },
    async targets() {
      type Target = { scrapeUrl: string; health: string; lastError: string };
      const { activeTargets } = await ask<{ activeTargets: Target[] }>('targets?state=active');
      return Object.fromEntries(activeTargets.map((one) => [one.scrapeUrl, one.lastError || one.health]));
    },
  };
}
