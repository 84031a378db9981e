import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { brokerEnv } from '../../scripts/demo/plan';
import { DrillCentOps } from '../../scripts/drill/centops';
import { startCluster, type Cluster } from '../../scripts/lib/broker/cluster';
import { freePorts } from '../../scripts/lib/broker/free-ports';
import { Child } from '../../scripts/lib/child';

const ROOT = path.join(__dirname, '../..');
const RUNNER = path.join(ROOT, 'node_modules/moleculer/bin/moleculer-runner.js');
export const NAMESPACE = '/v1/dmr-agent-events';

/** A server node as an operator runs it. */
export interface ServerNode {
  url: string;
  child: Child;
}

/** What the measurements stand on: one RabbitMQ, CentOps, and server nodes when they are asked for. */
export class Ground {
  readonly privateKeyPem: string;
  private readonly publicKeyPem: string;
  private readonly centOps: DrillCentOps[] = [];
  private readonly nodes: ServerNode[] = [];

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

  /** Starts a server node; resolves when it is healthy. */
  async server(listUrl: string, env: NodeJS.ProcessEnv = {}, nodeArgs: string[] = []): Promise<ServerNode> {
    const [port] = await freePorts(1);
    const name = `server-${this.nodes.length + 1}`;
    const services = path.join(ROOT, 'dist/services/server');
    const child = new Child({
      name,
      dir: this.dir,
      args: [...nodeArgs, RUNNER, '--config', path.join(ROOT, 'dist/moleculer.config.js'), services],
      env: {
        PATH: process.env['PATH'],
        DMR_ROLE: 'server',
        PORT: String(port),
        LOGGER_FORMAT: 'json',
        ...brokerEnv(this.cluster.amqp),
        CENTOPS_CONFIGURATION_URL: listUrl,
        AGENT_RATE_LIMIT: '0', // the load is the measure
        ...env,
      },
      readyUrl: `http://127.0.0.1:${port}/v1/health`,
    });
    const node = { url: `http://127.0.0.1:${port}`, child };
    this.nodes.push(node);
    child.start();
    await child.ready();
    return node;
  }

  /** Ends everything. */
  async stop(): Promise<void> {
    for (const centOps of this.centOps) centOps.stop();
    await Promise.allSettled(this.nodes.map(({ child }) => child.terminate()));
    await this.cluster.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
