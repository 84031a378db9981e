import type { Middleware, Service, ServiceBroker } from 'moleculer';

interface Stop {
  /** Services that have not stopped yet. */
  left: Set<Service>;
  /** Lets go on who waits for the others. */
  goOn: () => void;
}

const stops = new WeakMap<ServiceBroker, Stop>();

/** Whether the node was asked to stop. */
export function isStopping(broker: ServiceBroker): boolean {
  return stops.has(broker);
}

/**
 * For the one service of a node that stops last: resolves when all others have stopped, at once on a node that goes on
 * running and only unloads this service.
 */
export function othersStopped(broker: ServiceBroker): Promise<void> {
  const stop = stops.get(broker);
  if (!stop || stop.left.size <= 1) return Promise.resolve();
  return new Promise((resolve) => (stop.goOn = resolve));
}

/** Moleculer stops all services of a node at the same time: this tells one of them when it is alone. */
export const lastToStopHook: Middleware = {
  stopping(broker: ServiceBroker) {
    stops.set(broker, { left: new Set(broker.services), goOn: () => undefined });
    return Promise.resolve();
  },

  serviceStopped(service: Service) {
    const stop = stops.get(service.broker);
    stop?.left.delete(service);
    if (stop && stop.left.size <= 1) stop.goOn();
    return Promise.resolve();
  },

  /** Moleculer goes on when a service fails to stop; nobody waits for that one then. */
  stopped(broker: ServiceBroker) {
    stops.get(broker)?.goOn();
    stops.delete(broker);
    return Promise.resolve();
  },
};
