import { Errors, type ServiceBroker } from 'moleculer';
import type { Route, RoutingTable } from '../router/routes';

interface CommandArgs {
  agentId?: string;
  options: { json?: boolean };
}

const COLUMNS: [title: string, cell: (route: Route) => string | number | null][] = [
  ['agent', (route) => route.agentId],
  ['name', (route) => route.name],
  ['node', (route) => route.node],
  ['socket since', (route) => route.socketSince],
  ['queue', (route) => route.queue],
  ['in flight', (route) => route.inFlight],
  ['dlq', (route) => route.dlq],
];

/** The routing as a table of text, one line per agent; `-` where there is nothing. */
export function routesAsText({ routes, silentNodes }: RoutingTable): string {
  const rows = [
    COLUMNS.map(([title]) => title),
    ...routes.map((route) => COLUMNS.map(([, cell]) => `${cell(route) ?? '-'}`)),
  ];
  const widths = COLUMNS.map((_column, index) => Math.max(...rows.map((row) => row[index]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const silent = silentNodes.map((node) => `! ${node} did not answer; its agents stand here without a node`);
  return [...lines, ...silent].join('\n');
}

/** `routes [agentId] [--json]`: prints what the action router.routes answers. */
export const routesCommand = {
  command: 'routes [agentId]',
  description: 'Show the live routing of the whole mesh',
  options: [{ option: '--json', description: 'Print JSON' }],
  async action(broker: ServiceBroker, { agentId, options }: CommandArgs): Promise<void> {
    try {
      const table = await broker.call<RoutingTable, { agentId?: string }>('router.routes', { agentId });
      print(options.json ? JSON.stringify(table) : routesAsText(table));
    } catch (error) {
      if (!(error instanceof Errors.ServiceNotFoundError)) throw error;
      print(
        'No router in reach: an agent is not part of the mesh, and a server node needs a moment to meet the others.',
      );
    }
  },
};

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
