import type { CallingOptions, ServiceBroker } from 'moleculer';
import { nodesWith } from '../mesh/nodes';
import type { AgentSnapshot } from './agent-record';

/**
 * What every config-sync of the mesh knows: one that cannot reach CentOps has no list, but its neighbour may. Who does
 * not answer has none either.
 */
export async function askSnapshots(broker: ServiceBroker, options: CallingOptions = {}): Promise<AgentSnapshot[]> {
  const asked = nodesWith(broker, 'config-sync').map((nodeID) => askSnapshot(broker, nodeID, options));
  return (await Promise.all(asked)).filter((answer) => answer !== null);
}

/** The same of one node; null when it has no list, no config-sync or no answer. */
export function askSnapshot(
  broker: ServiceBroker,
  nodeID: string,
  options: CallingOptions = {},
): Promise<AgentSnapshot | null> {
  const call = broker.call<AgentSnapshot | null, object>('config-sync.snapshot', {}, { ...options, nodeID });
  return call.catch(() => null);
}
