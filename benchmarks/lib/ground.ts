import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { brokerEnv } from '../../scripts/demo/plan';
import { DrillCentOps } from '../../scripts/drill/centops';
import { startCluster, type Cluster } from '../../scripts/lib/broker/cluster';
import { freePorts } from '../../scripts/lib/broker/free-ports';
import { Child } from '../../scripts/lib/child';
import type { Ring, RingPlan } from '../load/ring';
import { Worker } from '../load/worker';

const ROOT = path.join(__dirname, '../..');
const RUNNER = path.join(ROOT, 'node_modules/moleculer/bin/moleculer-runner.js');
/** What `npm run start:server` gives Node.js (docs/performance.md). */
export const SERVER_ARGS = ['--max-semi-space-size=32', '--max-old-space-size=1024'];
const NAMESPACE = '/v1/dmr-agent-events';

/** A node as an operator runs it. */
export interface Node {
  url: string;
  child: Child;
}

export interface MeshPlan {
  /** Listed and connected. */
  agents: number;
  /** Listed and not connected yet. */
  more?: number;
  servers?: number;
  env?: NodeJS.ProcessEnv;
  nodeArgs?: string[];
}

/** Server nodes with a ring of agents. */
export interface Mesh {
  servers: Node[];
  /** Of the server nodes. */
  pids: number[];
  ring: Worker<Ring>;
  /** All that are listed; those connected come first. */
  ids: string[];
  stop: () => Promise<void>;
}

/** What the measurements stand on: one RabbitMQ, CentOps, and server nodes when they are asked for. */
export class Ground {
  readonly privateKeyPem: string;
  private readonly publicKeyPem: string;
  private readonly centOps: DrillCentOps[] = [];
  private readonly nodes: Child[] = [];

  private constructor(
    readonly cluster: Cluster,
    readonly dir: string,
  ) {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    this.privateKeyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    this.publicKeyPem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  }

  static async start(): Promise<Ground> {
    const dir = mkdtempSync(path.join(tmpdir(), 'dmr-bench-'));
    return new Ground(await startCluster({ nodes: 1, dir: path.join(dir, 'broker') }), dir);
  }

  /** Arguments of Node.js for a node that collects its garbage when it is told `gc`. */
  readonly gcArgs = ['--expose-gc', '--import', pathToFileURL(path.join(__dirname, 'gc-when-told.mjs')).href];

  get amqpUrl(): string {
    const { user, password, hosts } = this.cluster.amqp;
    return `amqp://${user}:${password}@127.0.0.1:${hosts[0]?.port}`;
  }

  /** Lists so many agents, all with one key; resolves to where, and their ids. */
  async list(count: number): Promise<{ url: string; ids: string[] }> {
    const ids = Array.from({ length: count }, () => randomUUID());
    const { publicKeyPem } = this;
    const centOps = new DrillCentOps(ids.map((id, i) => ({ id, name: `agent ${i}`, publicKeyPem })));
    this.centOps.push(centOps);
    return { url: await centOps.start(), ids };
  }

  /** Server nodes and the agents that send through them. */
  async mesh({ agents, more = 0, servers: count = 1, env, nodeArgs }: MeshPlan): Promise<Mesh> {
    const { url, ids } = await this.list(agents + more);
    const servers: Node[] = [];
    for (let i = 0; i < count; i++) servers.push(await this.server(url, env, nodeArgs));
    const ring = new Worker<Ring>('ring.ts');
    await ring.remote.connect(this.ringPlan(servers, ids.slice(0, agents)));
    const stop = async () => {
      await ring.stop();
      await Promise.all(servers.map(({ child }) => child.terminate()));
    };
    return { servers, pids: servers.map(({ child }) => child.pid), ring, ids, stop };
  }

  ringPlan(servers: Node[], ids: string[]): RingPlan {
    return { urls: servers.map(({ url }) => url), namespace: NAMESPACE, ids, privateKeyPem: this.privateKeyPem };
  }

  /** Starts a server node; resolves when it is healthy. */
  server(listUrl: string, env: NodeJS.ProcessEnv = {}, nodeArgs: string[] = []): Promise<Node> {
    return this.node('server', [...SERVER_ARGS, ...nodeArgs], {
      ...brokerEnv(this.cluster.amqp),
      CENTOPS_CONFIGURATION_URL: listUrl,
      AGENT_RATE_LIMIT: '0', // the load is the measure
      ...env,
    });
  }

  private async node(role: string, nodeArgs: string[], env: NodeJS.ProcessEnv): Promise<Node> {
    const [port] = await freePorts(1);
    const url = `http://127.0.0.1:${port}`;
    const program = [
      RUNNER,
      '--config',
      path.join(ROOT, 'dist/moleculer.config.js'),
      path.join(ROOT, 'dist/services', role),
    ];
    const own = { PATH: process.env['PATH'], DMR_ROLE: role, PORT: String(port), LOGGER_FORMAT: 'json' };
    const child = new Child({
      name: `${role}-${this.nodes.length + 1}`,
      dir: this.dir,
      args: [...nodeArgs, ...program],
      env: { ...own, ...env },
      readyUrl: `${url}/v1/health`,
    });
    this.nodes.push(child);
    child.start();
    await child.ready();
    return { url, child };
  }

  /** Resolves when RabbitMQ has at least so many queues. @throws past the limit */
  async queuesDeclared(count: number, limitMs: number): Promise<void> {
    const { user, password } = this.cluster.amqp;
    const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
    const url = `${this.cluster.nodes[0]?.managementUrl}/api/overview`;
    for (const giveUpAt = Date.now() + limitMs; Date.now() < giveUpAt; await delay(1000)) {
      const { object_totals: totals } = (await (await fetch(url, { headers: { authorization } })).json()) as {
        object_totals?: { queues?: number };
      };
      if ((totals?.queues ?? 0) >= count) return;
    }
    throw new Error(`RabbitMQ has not ${count} queues after ${limitMs} ms`);
  }

  /** An agent as an organisation runs it. */
  async agent(id: string, serverUrl: string, chatbotUrl: string, nodeArgs: string[] = []): Promise<Node> {
    return this.node('agent', nodeArgs, {
      AGENT_ID: id,
      AGENT_PRIVATE_KEY: this.privateKeyPem.replaceAll('\n', '\\n'),
      AGENT_DATA_DIR: path.join(this.dir, 'data'),
      DMR_SERVER_WEBSOCKET_URL: serverUrl,
      OUTGOING_MESSAGE_ENDPOINT: chatbotUrl,
    });
  }

  /** Ends everything. */
  async stop(): Promise<void> {
    for (const centOps of this.centOps) centOps.stop();
    await Promise.allSettled(this.nodes.map((child) => child.terminate()));
    await this.cluster.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
