import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { credentials } from 'amqplib';
import type { BrokerOptions } from 'moleculer';
import { protocolOf, rotated, socketOptions } from '../amqp/endpoint';
import type { AmqpConfig, NodeConfig, TracingConfig } from '../config/types';
import { loggerOptions } from '../telemetry/log-output';
import { beforeStopHook } from './before-stop';
import { heartbeatGuard } from './heartbeat-guard';
import { lastToStopHook } from './last-to-stop';
import { tracingHook } from './tracing-hook';
import { transporterGuard } from './transporter-guard';

const REQUEST_TIMEOUT_MS = 5000;
/** How often the nodes of the mesh hear of each other, and after how long a silence one is taken for gone, s. */
const MESH_HEARTBEAT_S = 3;
const MESH_SILENCE_S = 10;
const STOP_TIMEOUT_MS = 10_000;
/** Errors of calls that reached no handler. */
const NEVER_LEFT = new Set(['BrokerDisconnectedError', 'RequestRejectedError']);

/** Unique per start: a node that comes back must not inherit the queues of its predecessor (406 on other arguments). */
function nodeId(role: string): string {
  return `${role}-${hostname()}-${process.pid}-${randomBytes(2).toString('hex')}`;
}

function common(role: string, { logger }: NodeConfig): BrokerOptions {
  return {
    nodeID: nodeId(role),
    namespace: 'dmr',
    logger: loggerOptions(logger),
    logLevel: logger.level,
    requestTimeout: REQUEST_TIMEOUT_MS,
    dependencyInterval: 50, // ms; the default makes a chain of three services start in three seconds
    metrics: { enabled: true, reporter: [] },
    validator: { type: 'Fastest', options: { useNewCustomCheckerFunction: true } },
    tracking: { enabled: true, shutdownTimeout: STOP_TIMEOUT_MS },
    // `$node.options` would hand the transporter's options, and with them the password, to any caller.
    internalServices: { $node: { actions: { options: false } } },
  };
}

interface Traced {
  tracing?: TracingConfig | undefined;
}

/** A node of the mesh: server services or a REPL, which traces nothing. */
export function meshBrokerOptions(role: string, config: NodeConfig & Traced & { amqp: AmqpConfig }): BrokerOptions {
  const { user, password } = config.amqp;
  return {
    ...common(role, config),
    // A login waits for a node that does not answer until the mesh has forgotten it.
    heartbeatInterval: MESH_HEARTBEAT_S,
    heartbeatTimeout: MESH_SILENCE_S,
    transporter: {
      type: 'AMQP',
      options: {
        url: amqpUrls(config.amqp),
        // Moleculer's defaults handle one request at a time, 40 ms each, and deadlock on nested calls.
        prefetch: 100,
        // Not in the URL: amqplib reads what is percent-encoded there as Latin-1, so that only ASCII would arrive.
        socketOptions: { ...socketOptions(config.amqp), credentials: credentials.plain(user, password) },
        // A durable queue is lost to its node for as long as the broker's node is away that it was declared on, and the
        // node could not come back into the mesh over another. Nobody but its node consumes a queue of the transporter.
        queueOptions: { durable: false, exclusive: true },
        eventTimeToLive: 60_000,
        heartbeatTimeToLive: 30_000,
      },
    },
    retryPolicy: {
      enabled: true,
      retries: 7,
      delay: 100,
      maxDelay: 2000,
      factor: 2,
      // A call that timed out may have had its effect; only those that never left are repeated.
      check: (error: Error) => NEVER_LEFT.has(error.name),
    },
    middlewares: [transporterGuard, heartbeatGuard, beforeStopHook, lastToStopHook, tracingHook(config.tracing)],
  };
}

/** An agent: another trust domain, joined to the centre by its uplink alone. */
export function agentBrokerOptions(config: NodeConfig & Traced): BrokerOptions {
  return { ...common('agent', config), middlewares: [beforeStopHook, lastToStopHook, tracingHook(config.tracing)] };
}

/** A stand-in for something out of scope. */
export function standInBrokerOptions(config: NodeConfig): BrokerOptions {
  return common('dev', config);
}

/** The transporter takes the next with each attempt. */
function amqpUrls(config: AmqpConfig): string[] {
  const { vhost, heartbeatS } = config;
  // Also how long the broker keeps our queues for a connection that only we know to be lost: two to three times as long.
  const end = `${encodeURIComponent(vhost)}?heartbeat=${Math.min(heartbeatS, MESH_HEARTBEAT_S)}`;
  return rotated(config.hosts).map(({ host, port }) => {
    const address = host.includes(':') ? `[${host}]` : host; // IPv6
    return `${protocolOf(config)}://${address}:${port}/${end}`;
  });
}
