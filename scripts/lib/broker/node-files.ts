import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Who a private node is; kept with its data, which is unreadable under another name. */
export interface NodeIdentity {
  name: string;
  cookie: string;
  user: string;
  password: string;
}

export interface NodePorts {
  amqp: number;
  management: number;
  prometheus: number;
  /** Erlang distribution; RabbitMQ's own command line comes in here. */
  dist: number;
  epmd: number;
}

/** Reads the identity kept in `dir`, or makes up one and keeps it. */
export function nodeIdentity(dir: string): NodeIdentity {
  const file = path.join(dir, 'identity.json');
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as NodeIdentity;
  const random = (bytes: number) => randomBytes(bytes).toString('hex');
  const identity = { name: `dmr-${random(6)}@localhost`, cookie: random(16), user: 'dmr', password: random(16) };
  writeSecret(file, JSON.stringify(identity));
  return identity;
}

/**
 * Writes what a node reads at its start into `dir`. `fastStatistics` refreshes counts each second instead of each 5 s;
 * `more` are further lines of `rabbitmq.conf`.
 */
export function writeNodeFiles(
  dir: string,
  identity: NodeIdentity,
  ports: NodePorts,
  fastStatistics: boolean,
  more: string[] = [],
): void {
  for (const folder of ['data', 'log']) mkdirSync(path.join(dir, folder), { recursive: true, mode: 0o700 });
  writeSecret(path.join(dir, '.erlang.cookie'), identity.cookie);
  writeSecret(
    path.join(dir, 'rabbitmq.conf'),
    configuration(identity, ports) + more.map((line) => `${line}\n`).join(''),
  );
  writeSecret(path.join(dir, 'advanced.config'), advanced(fastStatistics));
  writeSecret(path.join(dir, 'enabled_plugins'), '[rabbitmq_management,rabbitmq_prometheus].\n');
}

/** The environment that makes RabbitMQ's scripts use `dir` only, nothing of the system's. */
export function nodeEnv(dir: string, identity: NodeIdentity, ports: NodePorts, env: NodeJS.ProcessEnv) {
  const inherited = Object.entries(env).filter(([name]) => !/^(RABBITMQ_|ERL_|NOTIFY_SOCKET$)/.test(name));
  return {
    ...Object.fromEntries(inherited),
    HOME: dir,
    RABBITMQ_NODENAME: identity.name,
    RABBITMQ_MNESIA_BASE: path.join(dir, 'data'),
    RABBITMQ_LOG_BASE: path.join(dir, 'log'),
    RABBITMQ_CONFIG_FILE: path.join(dir, 'rabbitmq'),
    RABBITMQ_ADVANCED_CONFIG_FILE: path.join(dir, 'advanced.config'),
    RABBITMQ_ENABLED_PLUGINS_FILE: path.join(dir, 'enabled_plugins'),
    RABBITMQ_CONF_ENV_FILE: '/dev/null',
    RABBITMQ_DIST_PORT: String(ports.dist),
    // Schedulers that wait busily take the cores from everything else on this machine (RabbitMQ, "Runtime Tuning").
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
      '-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none',
    RUNNING_UNDER_SYSTEMD: 'yes', // to the start script: become the node instead of waiting for it
    ERL_EPMD_PORT: String(ports.epmd),
    ERL_EPMD_ADDRESS: '127.0.0.1',
  };
}

// Takes the place of `guest` on a node without data; later starts find the user in it.
const configuration = ({ user, password }: NodeIdentity, { amqp, management, prometheus }: NodePorts) => `\
listeners.tcp.default = 127.0.0.1:${amqp}
management.tcp.ip = 127.0.0.1
management.tcp.port = ${management}
prometheus.tcp.ip = 127.0.0.1
prometheus.tcp.port = ${prometheus}
default_user = ${user}
default_pass = ${password}
log.console = false
`;

// Up to 3.x each quorum queue reserves file handles it never opens; past the limit new connections hang without a word.
function advanced(fastStatistics: boolean): string {
  const fast = fastStatistics ? ', {collect_statistics_interval, 1000}, {quorum_tick_interval, 1000}' : '';
  return `[{rabbit, [{file_handles_high_watermark, 500000}${fast}]}].\n`;
}

function writeSecret(file: string, text: string): void {
  writeFileSync(file, text, { mode: 0o600 });
}
