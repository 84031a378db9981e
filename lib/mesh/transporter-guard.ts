import type { Middleware, ServiceBroker } from 'moleculer';

interface Transit {
  opts: { disableReconnect?: boolean };
  tx: { connection?: { close(): Promise<void> } | null; connect(): Promise<void> };
}

interface Repairable {
  transit?: Transit;
  localBus: { on(event: string, listener: (payload: { type?: string }) => void): void };
}

/** Mends two faults of Moleculer's AMQP transporter. */
export const transporterGuard: Middleware = {
  /**
   * It reconnects after the loss of its connection but never after the loss of its channel alone: the node stays deaf
   * while it looks connected (moleculer#692). Closing the connection makes it begin anew.
   */
  created(broker: ServiceBroker) {
    const { localBus, transit } = broker as unknown as Repairable;
    localBus.on('$transporter.error', ({ type }) => {
      if (type === 'failedChannel') transit?.tx.connection?.close().catch(() => undefined); // gone already
    });
  },

  /** A node that is stopped while its connection is lost would go on reconnecting and join the mesh again, empty. */
  stopped(broker: ServiceBroker) {
    const { transit } = broker as unknown as Repairable;
    if (!transit) return;
    transit.opts.disableReconnect = true;
    transit.tx.connect = () => Promise.reject(new Error('this node was stopped'));
  },
};
