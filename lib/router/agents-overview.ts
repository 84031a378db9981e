import { createHash, X509Certificate } from 'node:crypto';
import type { ServiceBroker } from 'moleculer';
import type { AgentRecord } from '../agents/agent-record';
import { normalizePem } from '../crypto/keys';
import type { NodeRouter } from './node-router';
import { askGateways } from './routes';

/** An agent that CentOps lists. */
export interface ListedAgentInfo {
  agentId: string;
  name: string;
  /** Node that holds its socket. */
  node: string | null;
  /** Login, ISO 8601. */
  since: string | null;
  /** SHA-256 of the public key (SPKI, DER), hexadecimal; null where what is listed is no usable key. */
  fingerprint: string | null;
  /** End of its X.509 certificate, ISO 8601; null for a bare key. */
  expires: string | null;
}

/** An agent that CentOps lists no longer. */
export interface DepartedAgentInfo {
  agentId: string;
  leftAt: string;
  /** When its queues begin to be taken out of use, ISO 8601. */
  retiresAt: string;
}

export interface AgentsOverview {
  agents: ListedAgentInfo[];
  departed: DepartedAgentInfo[];
  /** Gateways that did not answer: their agents stand here without a node. */
  silentNodes: string[];
}

/** Who takes part, sorted by name, and who left, as far as anybody remembers. */
export async function agentsOverview(
  broker: ServiceBroker,
  router: NodeRouter,
  retireAfterMs: number,
): Promise<AgentsOverview> {
  const { placed, silentNodes } = await askGateways(broker);
  const agents = router.directory.list().map((agent): ListedAgentInfo => {
    const session = placed.get(agent.id);
    const where = { node: session?.node ?? null, since: session?.since ?? null };
    return { agentId: agent.id, name: agent.name, ...where, ...keyOf(router, agent) };
  });
  const departed = router.departed.map(({ id, leftAt }) => ({
    agentId: id,
    leftAt: new Date(leftAt).toISOString(),
    retiresAt: new Date(leftAt + retireAfterMs).toISOString(),
  }));
  return { agents: agents.sort((a, b) => a.name.localeCompare(b.name)), departed, silentNodes };
}

function keyOf(router: NodeRouter, { id, authenticationCertificate }: AgentRecord) {
  try {
    const der = router.directory.keyOf(id)?.export({ type: 'spki', format: 'der' });
    const fingerprint = der ? createHash('sha256').update(der).digest('hex') : null;
    return { fingerprint, expires: expiryOf(authenticationCertificate) };
  } catch {
    return { fingerprint: null, expires: null };
  }
}

function expiryOf(pem: string): string | null {
  const text = normalizePem(pem);
  return text.includes('BEGIN CERTIFICATE') ? new Date(new X509Certificate(text).validTo).toISOString() : null;
}
