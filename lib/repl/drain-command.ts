import type { ServiceBroker } from 'moleculer';
import type { Drained } from '../gateway/agent-gateway';
import { nodesWith } from '../mesh/nodes';
import { command, UsageError } from './command';

/** `drain <node>`: prints what the action gateway.io.drain of that node answers. */
export const drainCommand = command<Drained & { node: string }>(
  'drain <node>',
  'Send the agents of a node to the others; it lets nobody in and goes on running',
  [
    { option: '--undo', description: 'Let agents in again' },
    { option: '--force', description: 'Also the last gateway of the mesh' },
  ],
  {
    async ask(broker, { node, options }) {
      const nodeID = gatewayNamed(broker, String(node));
      const params = { force: options['force'] === true, undo: options['undo'] === true };
      return { node: nodeID, ...(await broker.call<Drained, object>('gateway.io.drain', params, { nodeID })) };
    },
    text: ({ node, agents, stayed }, { options }) =>
      options['undo'] === true
        ? `${node} lets agents in again.`
        : `${node} sent ${agents} agents away${stayed > 0 ? `, ${stayed} are still there` : ''}, and lets nobody in.`,
  },
);

function gatewayNamed(broker: ServiceBroker, name: string): string {
  const gateways = nodesWith(broker, 'gateway.io');
  if (gateways.includes(name)) return name;
  const known = gateways.length > 0 ? `these are: ${gateways.join(', ')}` : 'none is in reach';
  throw new UsageError(`There is no gateway ${name}; ${known}`);
}
