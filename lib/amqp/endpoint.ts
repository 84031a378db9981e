import { connect, type ChannelModel } from 'amqplib';
import type { AmqpConfig, AmqpHost } from '../config/types';

/** How long a host may take for TCP, TLS and the opening of AMQP; one that accepts and never answers costs no more. */
export const CONNECT_TIMEOUT_MS = 5000;

/** What Node's sockets take when a connection to RabbitMQ is opened. The certificate is verified by Node's defaults. */
export function socketOptions({ tls }: Pick<AmqpConfig, 'tls'>) {
  return { noDelay: true, keepAlive: true, timeout: CONNECT_TIMEOUT_MS, ...tls };
}

/** `amqps` is AMQP within TLS. */
export function protocolOf({ tls }: Pick<AmqpConfig, 'tls'>): 'amqp' | 'amqps' {
  return tls ? 'amqps' : 'amqp';
}

/** The hosts from a random one on, so that the connections of many nodes spread. */
export function rotated(hosts: AmqpHost[]): AmqpHost[] {
  const first = Math.floor(Math.random() * hosts.length);
  return [...hosts.slice(first), ...hosts.slice(0, first)];
}

/** Opens a connection to one of the hosts; `name` is shown in the broker's list. */
export function connectTo(config: AmqpConfig, { host, port }: AmqpHost, name: string): Promise<ChannelModel> {
  const { user, password, vhost, heartbeatS } = config;
  const where = { protocol: protocolOf(config), hostname: host, port, vhost, heartbeat: heartbeatS };
  const more = { ...socketOptions(config), clientProperties: { connection_name: name } };
  return connect({ ...where, username: user, password }, more);
}
