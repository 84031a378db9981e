import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { ClusterNode } from './cluster-node';
import { findServer } from './find-server';
import { freePorts } from './free-ports';
import { startGuard, type GuardPlan } from './guard';
import { nodeIdentity, type NodeIdentity, type NodePorts } from './node-files';
import type { Command } from './types';

const HOST = '127.0.0.1';
const FORM_LIMIT_MS = 120_000;
const PORTS_PER_NODE = 4;

export interface ClusterOptions {
  /** How many nodes; 3 unless given. */
  nodes?: number;
  /** Folder of the cluster, removed with it; a temporary one unless given. Nothing else may live in it. */
  dir?: string;
  /** More lines for the `rabbitmq.conf` of every node. */
  conf?: string[];
  env?: NodeJS.ProcessEnv;
}

/** Where the cluster answers, for its administrator. */
export interface ClusterAmqp {
  /** Every node as `host:port`, with commas between, as RABBITMQ_DEFAULT_HOST takes them. */
  host: string;
  /** Port of the first node. */
  port: number;
  hosts: { host: string; port: number }[];
  user: string;
  password: string;
  vhost: string;
}

/** Nodes of one RabbitMQ cluster, each a process that can be killed, frozen and started again. */
export interface Cluster {
  nodes: ClusterNode[];
  amqp: ClusterAmqp;
  /** Ends every node at once and removes the folder. May be called more than once. */
  stop(): Promise<void>;
}

/**
 * Starts a throw-away RabbitMQ cluster on this machine. It pauses a minority, spreads the leaders of its queues, knows
 * nothing of other brokers, and ends with this process, however that ends.
 * @throws when no RabbitMQ is installed, or with the end of a node's logs when it does not come up
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const env = options.env ?? process.env;
  const installed = findServer(env['PATH'] ?? '');
  if (!installed) throw new Error('A cluster needs an installed RabbitMQ: rabbitmq-server on PATH');
  const dir = path.resolve(options.dir ?? mkdtempSync(path.join(tmpdir(), 'dmr-cluster-')));
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const count = options.nodes ?? 3;
  const [epmd, ...free] = (await freePorts(1 + PORTS_PER_NODE * count)) as [number, ...number[]];
  const identities = identitiesIn(dir, count);
  const conf = [...clusterConf(identities), ...(options.conf ?? [])];
  const nodes = identities.map((identity, index) => {
    const ports = portsFrom(free.slice(PORTS_PER_NODE * index), epmd);
    return new ClusterNode(path.join(dir, `n${index + 1}`), { installed, identity, ports, conf, env });
  });
  // The nodes find each other through one epmd. Its guard removes the folder.
  const guard = await startGuard(
    epmdPlan(dir, [installed.epmd, '-address', HOST, '-port', String(epmd)]),
    env,
    () => {},
  );
  const stop = async () => {
    await Promise.all(nodes.map((node) => node.end()));
    await guard.stop();
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    await Promise.all(nodes.map((node) => node.start())); // together: they wait for each other
    await formed(nodes, identities);
  } catch (error) {
    await stop();
    throw error;
  }
  return { nodes, amqp: amqpOf(nodes, identities), stop };
}

/** One cookie, user and password for all. */
function identitiesIn(dir: string, count: number): [NodeIdentity, ...NodeIdentity[]] {
  const first = nodeIdentity(dir);
  const [base, host] = first.name.split('@');
  const named = (index: number) => ({ ...first, name: `${base}-${index + 1}@${host}` });
  return Array.from({ length: count }, (_, index) => named(index)) as [NodeIdentity, ...NodeIdentity[]];
}

function portsFrom([amqp, management, prometheus, dist]: number[], epmd: number): NodePorts {
  return { amqp, management, prometheus, dist, epmd } as NodePorts;
}

function clusterConf(identities: NodeIdentity[]): string[] {
  if (identities.length === 1) return [];
  return [
    'cluster_formation.peer_discovery_backend = classic_config',
    ...identities.map(({ name }, index) => `cluster_formation.classic_config.nodes.${index + 1} = ${name}`),
    'cluster_partition_handling = pause_minority',
    'queue_leader_locator = balanced',
  ];
}

function epmdPlan(dir: string, command: Command): GuardPlan {
  return { dir, processes: [{ command, log: path.join(dir, 'epmd.log') }], graceMs: 0, throwAway: true };
}

/** Resolves when every node sees every other. */
async function formed(nodes: ClusterNode[], [{ user, password }]: [NodeIdentity, ...NodeIdentity[]]): Promise<void> {
  const headers = { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
  const running = async (url: string) => {
    const response = await fetch(`${url}/api/nodes?columns=name,running`, { headers }).catch(() => undefined);
    if (!response?.ok) return 0; // it is still starting
    return ((await response.json()) as { running?: boolean }[]).filter((node) => node.running).length;
  };
  for (const giveUpAt = Date.now() + FORM_LIMIT_MS; Date.now() < giveUpAt; await wait(200)) {
    const seen = await Promise.all(nodes.map(({ managementUrl }) => running(managementUrl)));
    if (seen.every((count) => count === nodes.length)) return;
  }
  throw new Error(`The nodes did not form a cluster within ${FORM_LIMIT_MS / 1000} s`);
}

function amqpOf(nodes: ClusterNode[], [{ user, password }]: [NodeIdentity, ...NodeIdentity[]]): ClusterAmqp {
  const hosts = nodes.map(({ host, port }) => ({ host, port }));
  const host = hosts.map((each) => `${each.host}:${each.port}`).join(',');
  return { host, port: hosts[0]?.port ?? 0, hosts, user, password, vhost: '/' };
}
