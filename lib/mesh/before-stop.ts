import type { Middleware, ServiceBroker } from 'moleculer';

type Work = () => Promise<void>;

const works = new WeakMap<ServiceBroker, Work[]>();

/** Has work done when the node was asked to stop, while all its services and connections still work. */
export function beforeStop(broker: ServiceBroker, work: Work): void {
  const list = works.get(broker) ?? [];
  works.set(broker, [...list, work]);
}

/**
 * Moleculer stops all services of a node at the same time, so none of them can finish what needs another one; what
 * must be finished is done in this hook, which it awaits before. The other nodes have been told by then that this one
 * offers nothing any more. Works that fail do not keep the node from stopping.
 */
export const beforeStopHook: Middleware = {
  /**
   * Moleculer waits at a stop for calls that this node made, and forgets to take those off its list that were repeated
   * on another node after a lost connection: each stop after that would last 10 s. What others ask of this node it
   * counts elsewhere, and still waits for.
   */
  starting(broker: ServiceBroker) {
    const { _trackedContexts: outgoing } = broker as unknown as { _trackedContexts: unknown[] };
    outgoing.push = () => 0;
  },

  async stopping(broker: ServiceBroker) {
    await Promise.allSettled((works.get(broker) ?? []).map((work) => work()));
  },
};
