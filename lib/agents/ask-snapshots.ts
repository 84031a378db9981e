import type { CallingOptions, ServiceBroker } from 'moleculer';
import { nodesWith } from '../mesh/nodes';
import type { AgentSnapshot } from './agent-record';

/**
 * The lists of every config-sync of the mesh, oldest first, so that each may be taken after the one before: one that
 * cannot reach CentOps has none, but its neighbour may. Who does not answer has none either.
 */
export async function askSnapshots(broker: ServiceBroker, options: CallingOptions = {}): Promise<AgentSnapshot[]> {
  const ask = (nodeID: string) =>
    broker.call<AgentSnapshot | null, object>('config-sync.snapshot', {}, { ...options, nodeID }).catch(() => null);
  const answers = await Promise.all(nodesWith(broker, 'config-sync').map(ask));
  return answers.filter((answer) => answer !== null).sort((a, b) => a.fetchedAt - b.fetchedAt);
}
