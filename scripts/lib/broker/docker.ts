import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { runCommand } from '../run-command';
import type { RunCommand } from '../run-command';
import { startGuard } from './guard';
import { amqpAnswers } from './readiness';
import type { Command, ProvidedBroker, ProvideOptions } from './types';

const HOST = '127.0.0.1';
const IMAGE = 'rabbitmq:4-management';
const INFO_LIMIT_MS = 5_000;
/** The image is fetched on the first run. */
const RUN_LIMIT_MS = 15 * 60_000;
const BOOT_LIMIT_MS = 120_000;

export const CONTAINER_PORTS = { amqp: 5672, management: 15672, prometheus: 15692 };

/** Says whether a Docker engine answers, not only the `docker` program. */
export async function dockerAnswers(run: RunCommand = runCommand): Promise<boolean> {
  return (await run(['docker', 'info'], { timeoutMs: INFO_LIMIT_MS })).code === 0;
}

/** Starts the container. User and password are taken from the environment of `docker`: arguments are everybody's to read. */
export function runArguments(name: string): Command {
  const ports = Object.values(CONTAINER_PORTS).flatMap((port) => ['--publish', `${HOST}::${port}`]);
  const user = ['--env', 'RABBITMQ_DEFAULT_USER', '--env', 'RABBITMQ_DEFAULT_PASS'];
  // Without a bound Erlang sizes its tables for the engine's limit, which can be a thousand million files.
  const limits = ['--ulimit', 'nofile=65536:65536'];
  return ['docker', 'run', '--rm', '--detach', '--name', name, ...limits, ...ports, ...user, IMAGE];
}

/** Removes the container, running or not, with its data. */
export function removeArguments(name: string): Command {
  return ['docker', 'rm', '--force', '--volumes', name];
}

/** Asks for the port of this machine that leads to a port of the container. */
export function portArguments(name: string, port: number): Command {
  return ['docker', 'port', name, `${port}/tcp`];
}

/** Reads the answer to `portArguments`: `127.0.0.1:32768`, one line an address. */
export function parsePort(answer: string): number {
  const port = /:(\d+)\s*$/m.exec(answer)?.[1];
  if (!port) throw new Error(`docker port answered "${answer.trim()}" instead of an address`);
  return Number(port);
}

/**
 * Starts RabbitMQ in a container that ends with this process, however that ends. Its data never outlives it:
 * `dataDir` holds no more than a log.
 * @throws with what docker said when the container does not start or RabbitMQ in it does not answer
 */
export async function startDockerBroker(
  options: ProvideOptions,
  run: RunCommand = runCommand,
): Promise<ProvidedBroker> {
  const name = `dmr-rabbitmq-${randomBytes(6).toString('hex')}`;
  const login = { RABBITMQ_DEFAULT_USER: 'dmr', RABBITMQ_DEFAULT_PASS: randomBytes(16).toString('hex') };
  const must = mustRun(run, { ...options.env, ...login });
  const dir = path.resolve(options.dataDir);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  options.say(`Starting RabbitMQ in Docker (${IMAGE}, fetched on the first run) …`);
  const plan = { dir, processes: [], stopCommand: removeArguments(name), graceMs: 0, throwAway: !!options.throwAway };
  const guard = await startGuard(plan, options.env, options.say); // first: it removes by name what may come to be
  try {
    await must(runArguments(name), RUN_LIMIT_MS);
    const portOf = async (port: number) => parsePort(await must(portArguments(name, port), INFO_LIMIT_MS));
    const port = await portOf(CONTAINER_PORTS.amqp);
    await amqpAnswers({ host: HOST, port, timeoutMs: BOOT_LIMIT_MS, say: options.say, signal: guard.ended });
    return {
      kind: 'docker',
      host: HOST,
      port,
      user: login.RABBITMQ_DEFAULT_USER,
      password: login.RABBITMQ_DEFAULT_PASS,
      vhost: '/',
      managementUrl: `http://${HOST}:${await portOf(CONTAINER_PORTS.management)}`,
      prometheusPort: await portOf(CONTAINER_PORTS.prometheus),
      stop: () => guard.stop(),
    };
  } catch (error) {
    await guard.stop();
    throw error;
  }
}

function mustRun(run: RunCommand, env: NodeJS.ProcessEnv) {
  return async (command: Command, timeoutMs: number): Promise<string> => {
    const { code, stdout, stderr } = await run(command, { env, timeoutMs });
    if (code !== 0) throw new Error(`"${command.join(' ')}" ended with ${code}: ${stderr.trim()}`);
    return stdout;
  };
}
