import type { ServerConfig } from '../config/types';
import type { AgentSnapshot, DepartedAgent, ListedAgent } from './agent-record';

/** How long one remembers who left, beyond the life of his queues: a node may be cut off for as long. */
const CUT_OFF_MS = 7 * 24 * 3_600_000;

type Fact = { kind: 'listed'; at: number; agent: ListedAgent } | { kind: 'departed'; at: number; agent: DepartedAgent };

/**
 * What two nodes know together. About each agent the newest fact counts: listed, or departed. That an agent is not
 * mentioned means nothing, so a stale, a half or an early list removes nobody. The result does not depend on the order
 * of merges nor on repetitions, so all nodes end with the same list.
 */
export function mergeSnapshots(mine: AgentSnapshot, other: AgentSnapshot): AgentSnapshot {
  const facts = new Map<string, Fact>();
  for (const fact of [...factsOf(mine), ...factsOf(other)]) {
    const known = facts.get(fact.agent.id);
    if (!known || isNewer(fact, known)) facts.set(fact.agent.id, fact);
  }
  const merged: AgentSnapshot = { agents: [], departed: [], missing: [] };
  for (const fact of facts.values()) {
    if (fact.kind === 'listed') merged.agents.push(fact.agent);
    else merged.departed.push(fact.agent);
  }
  return merged;
}

/** How long every node remembers who left, ms. */
export function departedSpanMs({ retireAfterMs, ttl }: Pick<ServerConfig, 'retireAfterMs' | 'ttl'>): number {
  return retireAfterMs + ttl.dlqTtlMs + ttl.agentTtlMs + CUT_OFF_MS;
}

/** The same without those who left longer ago than `spanMs`. */
export function withoutLongGone(snapshot: AgentSnapshot, spanMs: number): AgentSnapshot {
  const oldest = Date.now() - spanMs;
  return { ...snapshot, departed: snapshot.departed.filter(({ leftAt }) => leftAt >= oldest) };
}

/** The time of the newest fact; 0 when there is none. */
export function newestOf(snapshot: AgentSnapshot): number {
  return factsOf(snapshot).reduce((newest, { at }) => Math.max(newest, at), 0);
}

function factsOf({ agents, departed }: AgentSnapshot): Fact[] {
  return [
    ...agents.map((agent): Fact => ({ kind: 'listed', at: agent.listedAt, agent })),
    ...departed.map((agent): Fact => ({ kind: 'departed', at: agent.leftAt, agent })),
  ];
}

/** At the same time, who is listed has not left; of two records every node takes the same one. */
function isNewer(fact: Fact, known: Fact): boolean {
  if (fact.at !== known.at) return fact.at > known.at;
  if (fact.kind !== known.kind) return fact.kind === 'listed';
  return fact.kind === 'listed' && known.kind === 'listed' && rankOf(fact.agent) > rankOf(known.agent);
}

function rankOf({ updatedAt, authenticationCertificate, name, createdAt }: ListedAgent): string {
  return JSON.stringify([updatedAt, authenticationCertificate, name, createdAt]);
}
