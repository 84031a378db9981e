import type { AgentsOverview, DepartedAgentInfo, ListedAgentInfo } from '../router/agents-overview';
import { command } from './command';
import { silentLines, table, type Columns } from './table';

const FINGERPRINT_SHOWN = 16;

const LISTED: Columns<ListedAgentInfo> = [
  ['agent', (agent) => agent.agentId],
  ['name', (agent) => agent.name],
  ['node', (agent) => agent.node],
  ['since', (agent) => agent.since],
  ['key', (agent) => agent.fingerprint?.slice(0, FINGERPRINT_SHOWN)],
  ['expires', (agent) => agent.expires],
];

const DEPARTED: Columns<DepartedAgentInfo> = [
  ['left', (agent) => agent.agentId],
  ['at', (agent) => agent.leftAt],
  ['queues retire from', (agent) => agent.retiresAt],
];

/** `agents`: prints what the action router.agents answers. */
export const agentsCommand = command<AgentsOverview>(
  'agents',
  'Show who takes part, connected where, and who left',
  [],
  {
    ask: (broker) => broker.call('router.agents'),
    text: ({ agents, departed, silentNodes }) =>
      [
        table(LISTED, agents),
        ...(departed.length > 0 ? ['', table(DEPARTED, departed)] : []),
        ...silentLines(silentNodes, 'its agents stand here without a node'),
      ].join('\n'),
  },
);
