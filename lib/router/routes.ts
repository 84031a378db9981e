import type { ServiceBroker } from 'moleculer';
import { askAll } from '../mesh/ask-all';
import { mapParallel } from '../parallel';
import type { NodeRouter } from './node-router';

/** What an operator sees of a session. */
export interface SessionInfo {
  agentId: string;
  name: string;
  /** Login, ISO 8601. */
  since: string;
  /** Messages on their way to the agent; undefined while its queue is not consumed. */
  inFlight: number | undefined;
  /** When the server accepted the one of them that was taken first, ms since the epoch. */
  oldestAt: number | undefined;
}

/** One line of the live routing: where an agent is and what waits for it. */
export interface Route {
  agentId: string;
  name: string;
  /** Node that holds its socket. */
  node: string | null;
  /** Login, ISO 8601. */
  socketSince: string | null;
  /** Messages ready in its queue; null when the queue does not exist. */
  queue: number | null;
  /** Messages sent down and not answered yet. */
  inFlight: number | null;
  /** Messages ready in its dead-letter queue; null when that does not exist. */
  dlq: number | null;
}

export interface RoutingTable {
  routes: Route[];
  /** Gateways that did not answer: their agents stand here without a node. */
  silentNodes: string[];
}

/** Queues looked at at the same time, each on a channel of its own. */
const PARALLEL = 32;

export type Placed = SessionInfo & { node: string };

/** The live routing of the whole mesh, sorted by name. */
export async function routingTable(broker: ServiceBroker, router: NodeRouter, agentId?: string): Promise<RoutingTable> {
  const { placed, silentNodes } = await askGateways(broker);
  const known = router.directory.list().filter(({ id }) => agentId === undefined || id === agentId);
  const routes = await mapParallel(known, PARALLEL, async ({ id, name }): Promise<Route> => {
    const session = placed.get(id);
    const { queue, dlq } = await router.depths(id);
    return {
      agentId: id,
      name,
      node: session?.node ?? null,
      socketSince: session?.since ?? null,
      queue: queue ?? null,
      inFlight: session?.inFlight ?? null,
      dlq: dlq ?? null,
    };
  });
  return { routes: routes.sort((a, b) => a.name.localeCompare(b.name)), silentNodes };
}

/** The node that holds the agent's socket; undefined when none does. */
export async function nodeOf(broker: ServiceBroker, agentId: string): Promise<string | undefined> {
  return (await askGateways(broker)).placed.get(agentId)?.node;
}

/** Who is connected where, as far as the gateways answer. */
export async function askGateways(broker: ServiceBroker) {
  const { answers, silentNodes } = await askAll<SessionInfo[]>(broker, ['gateway.io'], 'sessions');
  const placed = new Map<string, Placed>();
  for (const { node, answer } of answers) {
    for (const session of answer) placed.set(session.agentId, { ...session, node });
  }
  return { placed, silentNodes };
}
