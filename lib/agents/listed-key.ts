import type { KeyRing } from '../crypto/key-ring';
import type { Metrics } from '../telemetry/metrics';
import type { AgentDirectory } from './directory';

const KEYS = ['current', 'previous', 'none'] as const;

/**
 * Has it shown, each time the metrics are read, which of this agent's keys CentOps lists for it; none of them while there
 * is no list. Returns what ends that.
 */
export function watchListedKey(keys: KeyRing, directory: AgentDirectory, agentId: string, metrics: Metrics) {
  return metrics.collect('of the listed key', () => {
    const listed = directory.ready && keys.nameOf(directory.get(agentId)?.authenticationCertificate);
    for (const key of KEYS) metrics.set('dmr_agent_key_listed', key === listed ? 1 : 0, { key });
  });
}
