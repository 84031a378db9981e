import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { AmqpConfig } from '../../lib/config';
import { freePorts } from '../../scripts/lib/broker/free-ports';
import type { AgentIdentity } from './keys';
import { untilHealthy } from './mesh';
import { temporaryFolder } from './temporary-folder';

const ROOT = path.join(__dirname, '../..');
const RUNNER = path.join(ROOT, 'node_modules/moleculer/bin/moleculer-runner.js');
const STOP_LIMIT_MS = 15_000;

/** A node of ours as an operator runs it: a process of its own, from `dist`. */
export class NodeProcess {
  output = '';
  readonly url: string;
  private readonly child: ChildProcess;

  private constructor(role: string, services: string[], env: NodeJS.ProcessEnv) {
    this.url = `http://127.0.0.1:${env['PORT']}`;
    const args = [
      RUNNER,
      '--config',
      'dist/moleculer.config.js',
      ...services.map((service) => `dist/services/${service}`),
    ];
    this.child = spawn(process.execPath, args, {
      cwd: ROOT,
      env: { PATH: process.env['PATH'], DMR_ROLE: role, LOGGER_FORMAT: 'json', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (data: Buffer) => (this.output += data.toString()));
    }
  }

  /** Starts a node and waits until it is healthy; with `healthy: false` until nothing. */
  static async start(
    role: string,
    services: string[],
    env: NodeJS.ProcessEnv,
    { healthy = true } = {},
  ): Promise<NodeProcess> {
    const [port] = await freePorts(1);
    const node = new NodeProcess(role, services, { PORT: String(port), ...env });
    if (!healthy) return node;
    try {
      await untilHealthy(node.url, 30_000);
    } catch (error) {
      node.kill();
      throw new Error(`${role} did not become healthy:\n${node.output}`, { cause: error });
    }
    return node;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Waits for its end; the exit code, or the signal that ended it. */
  async ended(): Promise<number | string | null> {
    if (this.running) await once(this.child, 'exit', { signal: AbortSignal.timeout(STOP_LIMIT_MS) });
    return this.child.exitCode ?? this.child.signalCode;
  }

  /** Asks it to stop, as an orchestrator does, and waits. */
  async stop(): Promise<number | string | null> {
    if (this.running) this.child.kill('SIGTERM');
    return this.ended();
  }

  kill(): void {
    if (this.running) this.child.kill('SIGKILL');
  }
}

/** The environment of a server node. */
export function serverEnv(amqp: AmqpConfig, centOpsUrl: string): NodeJS.ProcessEnv {
  return {
    RABBITMQ_DEFAULT_HOST: amqp.host,
    RABBITMQ_DEFAULT_PORT: String(amqp.port),
    RABBITMQ_DEFAULT_USER: amqp.user,
    RABBITMQ_DEFAULT_PASS: amqp.password,
    RABBITMQ_DEFAULT_VHOST: amqp.vhost,
    CENTOPS_CONFIGURATION_URL: centOpsUrl,
  };
}

/** The environment of an agent; to start it again with what it remembers, use the same environment again. */
export function agentEnv(
  identity: AgentIdentity,
  serverUrl: string,
  chatbotUrl: string,
  dataDir = temporaryFolder(),
): NodeJS.ProcessEnv {
  return {
    AGENT_DATA_DIR: dataDir,
    AGENT_ID: identity.id,
    AGENT_PRIVATE_KEY: identity.privateKeyPem.replaceAll('\n', '\\n'),
    DMR_SERVER_WEBSOCKET_URL: serverUrl,
    OUTGOING_MESSAGE_ENDPOINT: chatbotUrl,
    WEBSOCKET_RECONNECTION_DELAY: '200',
    WEBSOCKET_RECONNECTION_DELAY_MAX: '1000',
  };
}
