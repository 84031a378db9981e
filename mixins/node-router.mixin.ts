import type { Context, Service, ServiceBroker, ServiceSchema } from 'moleculer';
import type { AgentSnapshot } from '../lib/agents/agent-record';
import { askSnapshots } from '../lib/agents/ask-snapshots';
import type { ServerConfig } from '../lib/config';
import { defineMixin } from '../lib/define-service';
import { beforeStop } from '../lib/mesh/before-stop';
import { addHealth, type HealthParts } from '../lib/mesh/health';
import { tracingOf } from '../lib/mesh/tracing-hook';
import { NodeRouter } from '../lib/router/node-router';
import type { NodeMemory } from '../lib/router/whereabouts';
import { metricsOf } from './metrics.mixin';

const ASK_EVERY_MS = 1000;

export interface NodeRouterService extends Service {
  nodeRouter: NodeRouter;
  askTimer: NodeJS.Timeout | undefined;
  askForSnapshot(): Promise<void>;
}

interface Shared {
  router: NodeRouter;
  users: number;
  endHealth: () => void;
}

function healthOf(router: NodeRouter): HealthParts {
  const { ready, size } = router.directory;
  return { broker: router.health(), agents: { ok: ready, known: size } };
}

const perBroker = new WeakMap<ServiceBroker, Shared>();

/** The services of one process share one router; the first user starts it. */
function acquire(broker: ServiceBroker, config: ServerConfig): NodeRouter {
  let shared = perBroker.get(broker);
  if (!shared) {
    const router = new NodeRouter(
      config,
      broker.nodeID,
      broker.getLogger('amqp'),
      metricsOf(broker),
      tracingOf(broker),
    );
    // Before Moleculer waits for the calls for it.
    beforeStop(broker, () => router.deadLetters.stop());
    perBroker.set(broker, (shared = { router, users: 0, endHealth: addHealth(broker, () => healthOf(router)) }));
  }
  shared.users += 1;
  if (shared.users === 1) shared.router.start();
  return shared.router;
}

/** The last user stops it. */
async function release(broker: ServiceBroker): Promise<void> {
  const shared = perBroker.get(broker);
  if (!shared) return;
  shared.users -= 1;
  if (shared.users > 0) return;
  perBroker.delete(broker);
  shared.endHealth();
  await shared.router.stop();
}

/**
 * Gives a service `this.nodeRouter`, the routing resources of its process, and keeps its agent list in step with
 * config-sync, wherever in the mesh that runs.
 */
export function nodeRouterMixin(config: ServerConfig): Partial<ServiceSchema> {
  return defineMixin<NodeRouterService>({
    actions: {
      /** What this process remembers of a message, and whether it has it in hand. */
      trail: {
        visibility: 'public',
        params: { id: { type: 'string', max: 64 } },
        handler(this: NodeRouterService, { params: { id } }: Context<{ id: string }>): NodeMemory {
          const { trail, inFlight } = this.nodeRouter;
          return { trail: trail.of(id) ?? null, inFlightTo: inFlight.recipientOf(id) ?? null };
        },
      },
    },
    events: {
      'agents.changed': {
        handler(this: NodeRouterService, ctx: Context<AgentSnapshot>) {
          this.nodeRouter.takeSnapshot(ctx.params);
        },
      },
      /** What changed while this node was cut off was announced without it. */
      '$transporter.connected': {
        handler(this: NodeRouterService) {
          if (this.askTimer) void this.askForSnapshot();
        },
      },
    },
    methods: {
      /** Asks every config-sync of the mesh until a list is there. */
      async askForSnapshot(this: NodeRouterService): Promise<void> {
        for (const snapshot of await askSnapshots(this.broker)) this.nodeRouter.takeSnapshot(snapshot);
        if (this.nodeRouter.directory.ready || !this.askTimer) return;
        this.askTimer = setTimeout(() => void this.askForSnapshot(), ASK_EVERY_MS);
      },
    },
    created(this: NodeRouterService) {
      this.nodeRouter = acquire(this.broker, config);
    },
    started(this: NodeRouterService) {
      this.askTimer = setTimeout(() => void this.askForSnapshot(), 0);
    },
    async stopped(this: NodeRouterService) {
      clearTimeout(this.askTimer);
      this.askTimer = undefined;
      await release(this.broker);
    },
  });
}
