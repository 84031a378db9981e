import type { Route, RoutingTable } from '../router/routes';
import { command } from './command';
import { silentLines, table, type Columns } from './table';

const COLUMNS: Columns<Route> = [
  ['agent', (route) => route.agentId],
  ['name', (route) => route.name],
  ['node', (route) => route.node],
  ['socket since', (route) => route.socketSince],
  ['queue', (route) => route.queue],
  ['in flight', (route) => route.inFlight],
  ['dlq', (route) => route.dlq],
];

/** The routing as a table of text, one line per agent. */
export function routesAsText({ routes, silentNodes }: RoutingTable): string {
  return [table(COLUMNS, routes), ...silentLines(silentNodes, 'its agents stand here without a node')].join('\n');
}

/** `routes [agentId]`: prints what the action router.routes answers. */
export const routesCommand = command<RoutingTable>('routes [agentId]', 'Show the live routing of the whole mesh', [], {
  ask: (broker, { agentId }) => broker.call('router.routes', { agentId }),
  text: routesAsText,
});
