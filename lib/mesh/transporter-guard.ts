import { setTimeout as delay } from 'node:timers/promises';
import type { ChannelModel } from 'amqplib';
import type { Middleware, ServiceBroker } from 'moleculer';
import { replyCode } from '../amqp/admin';
import { letGo } from '../amqp/closing';

interface Channel {
  prefetch(count: number): Promise<unknown>;
}

interface Transporter {
  opts?: { url?: string | string[] };
  connection?: ChannelModel | null;
  channel?: Channel | null;
  connect(onLoss?: (error: unknown) => void): Promise<void>;
  disconnect(): Promise<void>;
}

interface Transit {
  opts: { disableReconnect?: boolean };
  tx: Transporter;
  connect(): Promise<void>;
  discoverer: { sendLocalNodeInfo(): Promise<void> };
}

interface Guarded {
  transit?: Transit;
  localBus: { on(event: string, listener: (payload: { type?: string }) => void): void };
}

/** How long a start waits for the mesh; connected nodes need about half a second. */
const CONNECT_GRACE_MS = 3000;
/** What RabbitMQ answers to who wants a queue that is exclusive to another connection. */
const RESOURCE_LOCKED = 405;
const LOCKED_PAUSE_MS = 500;
/** How long the broker may take to let a node go. */
const DISCONNECT_TIMEOUT_MS = 3000;

/**
 * The transporter sets the prefetch of a new channel without looking at the outcome; where the connection is lost again
 * at once, that promise would be rejected unhandled and end the process. The loss itself it notices by other means.
 */
function watchPrefetch(tx: Transporter): void {
  let current = tx.channel;
  Object.defineProperty(tx, 'channel', {
    get: () => current,
    set: (channel: Channel | null) => {
      current = channel;
      if (!channel) return;
      const prefetch = channel.prefetch.bind(channel);
      channel.prefetch = (count) => prefetch(count).catch(() => undefined);
    },
  });
}

/**
 * It tries the next host 5 s after the one before, so a cluster that lost a node would cost as much again. Here one attempt
 * is a round of all hosts, and the next round follows soon while the broker holds our queues for a connection whose loss it
 * has not noticed yet. A connection that got no channel is closed: it would stay open beside the next.
 */
function tryEveryHost({ tx, opts }: Transit): void {
  const connect = tx.connect.bind(tx);
  const hosts = Array.isArray(tx.opts?.url) ? tx.opts.url.length : 1;
  tx.connect = async (onLoss) => {
    for (let tries = 1; ; tries++) {
      try {
        await connect(onLoss);
        const { connection } = tx;
        connection?.once('close', () => letGo(connection));
        return;
      } catch (error) {
        tx.connection?.close().catch(() => undefined); // lost already, as a rule
        const isLocked = replyCode(error) === RESOURCE_LOCKED;
        if (isLocked && tries >= hosts) {
          await delay(LOCKED_PAUSE_MS, undefined, { ref: false });
          tries = 0;
        }
        if (tries >= hosts || opts.disableReconnect) throw error;
      }
    }
  };
}

/** It takes leave of a broker that may be frozen and would wait for an answer until the heartbeat gives up. */
function leaveInTime(tx: Transporter): void {
  const disconnect = tx.disconnect.bind(tx);
  tx.disconnect = async () => {
    const { connection } = tx;
    await Promise.race([disconnect(), delay(DISCONNECT_TIMEOUT_MS, undefined, { ref: false })]);
    if (connection) letGo(connection);
  };
}

/** Mends seven faults of Moleculer's AMQP transporter. */
export const transporterGuard: Middleware = {
  /**
   * It reconnects after the loss of its connection but never after the loss of its channel alone: the node stays deaf
   * while it looks connected (moleculer#692). Closing the connection makes it begin anew.
   */
  created(broker: ServiceBroker) {
    const { localBus, transit } = broker as unknown as Guarded;
    if (transit) {
      watchPrefetch(transit.tx);
      tryEveryHost(transit);
      leaveInTime(transit.tx);
    }
    localBus.on('$transporter.error', ({ type }) => {
      if (type === 'failedChannel') transit?.tx.connection?.close().catch(() => undefined); // gone already
    });
  },

  /**
   * A node would start no service before RabbitMQ answers: nobody could ask it for its health. It goes on without the
   * mesh after a grace, and introduces itself once the connection is there.
   */
  starting(broker: ServiceBroker) {
    const { transit } = broker as unknown as Guarded;
    if (!transit) return;
    const connect = transit.connect.bind(transit);
    transit.connect = async () => {
      const connected = connect();
      const inTime = await Promise.race([connected.then(() => true), delay(CONNECT_GRACE_MS, false, { ref: false })]);
      if (!inTime) void connected.then(() => transit.discoverer.sendLocalNodeInfo()).catch(() => undefined);
    };
  },

  /** A node that is stopped while its connection is lost would go on reconnecting and join the mesh again, empty. */
  stopped(broker: ServiceBroker) {
    const { transit } = broker as unknown as Guarded;
    if (!transit) return;
    transit.opts.disableReconnect = true;
    transit.tx.connect = () => Promise.reject(new Error('this node was stopped'));
  },
};
