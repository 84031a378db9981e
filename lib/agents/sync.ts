import type { AgentRecord, AgentSnapshot } from './agent-record';
import type { CentOpsList } from './centops-client';

/** Whether who is missing in an answer of CentOps has left; a half or an empty answer says nothing about that. */
export function isWhole(answer: CentOpsList): boolean {
  return answer.rejected.length === 0 && answer.agents.length > 0;
}

/**
 * The list to go on with after an answer of CentOps. A whole and non-empty answer replaces the list; from any other,
 * what is valid is added or changed and nothing is taken away.
 */
export function mergeAnswer(current: AgentRecord[], answer: CentOpsList): AgentRecord[] {
  return isWhole(answer) ? answer.agents : withMore(current, answer.agents);
}

/**
 * What a node with a list of its own takes from a snapshot. A node that began with half an answer hands out what it has
 * as the newest list; taken as it is, it would remove everybody that node has not heard of.
 */
export function mergeSnapshot(current: AgentRecord[], snapshot: AgentSnapshot): AgentSnapshot {
  return snapshot.whole ? snapshot : { ...snapshot, agents: withMore(current, snapshot.agents) };
}

function withMore(current: AgentRecord[], more: AgentRecord[]): AgentRecord[] {
  const merged = new Map(current.map((agent) => [agent.id, agent]));
  for (const agent of more) merged.set(agent.id, agent);
  return [...merged.values()];
}
