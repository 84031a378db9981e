import type { AgentRecord, AgentSnapshot } from '../../../lib/agents/agent-record';
import type { CentOpsList } from '../../../lib/agents/centops-client';

export const NOBODY: AgentSnapshot = { agents: [], departed: [], missing: [] };

export const agent = (id: string, name = id): AgentRecord => ({
  id,
  name,
  authenticationCertificate: `key of ${id}`,
  createdAt: '',
  updatedAt: '',
});

/** What a node knows that saw these agents (id, name) at that time and nothing else. */
export const listed = (listedAt: number, ...agents: [id: string, name?: string][]): AgentSnapshot => ({
  ...NOBODY,
  agents: agents.map(([id, name]) => ({ ...agent(id, name), listedAt })),
});

export const departed = (id: string, leftAt: number): AgentSnapshot => ({ ...NOBODY, departed: [{ id, leftAt }] });

/** A whole answer of CentOps. */
export const answer = (...ids: string[]): CentOpsList => ({ agents: ids.map((id) => agent(id)), rejected: [] });

/** The same content in one order. */
export function sorted(snapshot: AgentSnapshot): AgentSnapshot {
  const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);
  return { ...snapshot, agents: snapshot.agents.toSorted(byId), departed: snapshot.departed.toSorted(byId) };
}
