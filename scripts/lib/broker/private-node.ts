import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { InstalledServer } from './find-server';
import { freePorts } from './free-ports';
import { startGuard } from './guard';
import type { GuardPlan } from './guard';
import { logTail } from './log-tail';
import { nodeEnv, nodeIdentity, writeNodeFiles } from './node-files';
import type { NodeIdentity, NodePorts } from './node-files';
import { amqpAnswers } from './readiness';
import type { ProvidedBroker, ProvideOptions } from './types';

const BOOT_LIMIT_MS = 120_000;
/** A clean stop takes about 6 s, of which 5 s are the management plugin's. */
const STOP_LIMIT_MS = 20_000;
const HOST = '127.0.0.1';

/**
 * Starts a RabbitMQ node that knows nothing of other nodes on the machine and that ends with this process, however that
 * ends. Data, name and password stay in `dataDir` unless it is a throw-away one.
 * @throws with the end of the node's own log when it does not come up
 */
export async function startPrivateNode(installed: InstalledServer, options: ProvideOptions): Promise<ProvidedBroker> {
  const dir = path.resolve(options.dataDir);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const identity = nodeIdentity(dir);
  const ports = await nodePorts();
  const throwAway = options.throwAway ?? false;
  writeNodeFiles(dir, identity, ports, throwAway);
  options.say(`Starting a private RabbitMQ (about 6 s), data in ${dir} …`);
  const plan = nodePlan(dir, installed, ports, throwAway);
  const guard = await startGuard(plan, nodeEnv(dir, identity, ports, options.env), options.say);
  const stop = async () => {
    await guard.stop();
    if (throwAway) rmSync(dir, { recursive: true, force: true });
  };
  try {
    await amqpAnswers({
      host: HOST,
      port: ports.amqp,
      timeoutMs: BOOT_LIMIT_MS,
      say: options.say,
      signal: guard.ended,
    });
  } catch (error) {
    const log = logTail(dir); // before the stop, which may remove the folder
    await stop();
    throw new Error(`${(error as Error).message}. The end of its logs:\n${log}`, { cause: error });
  }
  return providedBroker(identity, ports, stop);
}

async function nodePorts(): Promise<NodePorts> {
  const [amqp, management, prometheus, dist, epmd] = await freePorts(5);
  return { amqp, management, prometheus, dist, epmd } as NodePorts;
}

// An epmd of our own, on a port of its own: the node would else join, or leave behind, one that others use.
function nodePlan(dir: string, { epmd, server }: InstalledServer, ports: NodePorts, throwAway: boolean): GuardPlan {
  const log = (name: string) => path.join(dir, 'log', name);
  return {
    dir,
    lock: throwAway ? undefined : 'guard.sock',
    processes: [
      { command: [epmd, '-address', HOST, '-port', String(ports.epmd)], log: log('epmd.log') },
      { command: [server], log: log('console.log') },
    ],
    graceMs: STOP_LIMIT_MS,
    throwAway,
  };
}

function providedBroker({ user, password }: NodeIdentity, ports: NodePorts, stop: () => Promise<void>): ProvidedBroker {
  return {
    kind: 'private',
    host: HOST,
    port: ports.amqp,
    user,
    password,
    vhost: '/',
    managementUrl: `http://${HOST}:${ports.management}`,
    prometheusPort: ports.prometheus,
    stop,
  };
}
