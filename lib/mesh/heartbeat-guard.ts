import type { Middleware, ServiceBroker } from 'moleculer';

interface Beating {
  registry: { discoverer: { beat(): Promise<unknown> } };
}

/**
 * Moleculer awaits no heartbeat. One that is due while the transporter's channel closes would be rejected unhandled and
 * end the process, in the middle of a reconnect or of a leave; not sent, it is only missed.
 */
export const heartbeatGuard: Middleware = {
  created(broker: ServiceBroker) {
    const { discoverer } = (broker as unknown as Beating).registry;
    const beat = discoverer.beat.bind(discoverer);
    discoverer.beat = () => beat().catch(() => undefined);
  },
};
