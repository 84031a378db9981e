import type { AgentRecord } from './agent-record';
import type { CentOpsList } from './centops-client';

/**
 * The list to go on with after an answer of CentOps. A whole and non-empty answer replaces the list; from any other,
 * what is valid is added or changed and nothing is taken away, because a half answer says nothing about who left.
 */
export function mergeAnswer(current: AgentRecord[], answer: CentOpsList): AgentRecord[] {
  const whole = answer.rejected.length === 0 && answer.agents.length > 0;
  if (whole) return answer.agents;
  const merged = new Map(current.map((agent) => [agent.id, agent]));
  for (const agent of answer.agents) merged.set(agent.id, agent);
  return [...merged.values()];
}
