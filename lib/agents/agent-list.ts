import { FinalError, RetryableError } from '../errors';
import type { AgentDiff, AgentRecord, AgentSnapshot, DepartedAgent } from './agent-record';
import type { CentOpsList } from './centops-client';
import { diffAgents } from './directory';
import { mergeSnapshots, newestOf, withoutLongGone } from './merge';
import { MissingAgents } from './missing-agents';

/** What a look at CentOps changed. */
export interface Taken {
  diff: AgentDiff;
  /** Agents that CentOps lacks and that are kept so far. */
  missing: number;
  /** CentOps lacks so many that only an operator may take them away. */
  suspicious: boolean;
}

/** Why a node should look at CentOps for itself after news from a neighbour. */
export interface Doubts {
  /** The neighbour took somebody away whom this node had. */
  gone: boolean;
  /** The neighbour misses somebody whom this node has. */
  missing: boolean;
}

const NOTHING: AgentSnapshot = { agents: [], departed: [], missing: [] };

/** Whether who is missing in an answer of CentOps may have left; a half or an empty answer says nothing about that. */
export function isWhole(answer: CentOpsList): boolean {
  return answer.rejected.length === 0 && answer.agents.length > 0;
}

/**
 * The agent list of one config-sync: it grows and changes by every answer of CentOps, shrinks only by confirmed
 * departures, and takes in what the neighbours know.
 */
export class AgentList {
  private current: AgentSnapshot | undefined;
  private readonly missing: MissingAgents;

  /** See MissingAgents for `removeAfterMs`; who left is remembered for `keepDepartedMs`. */
  constructor(
    removeAfterMs: number,
    private readonly keepDepartedMs: number,
  ) {
    this.missing = new MissingAgents(removeAfterMs);
  }

  /** What to hand to others; null before the first list. */
  get snapshot(): AgentSnapshot | null {
    return this.current ? { ...this.current, missing: this.missing.ids() } : null;
  }

  get size(): number {
    return this.current?.agents.length ?? 0;
  }

  /**
   * The time of a look that begins now: later than anything known, so that a node with a fast clock does not hide it,
   * and not the time of the answer, which may be older than what a neighbour learned meanwhile.
   */
  beginLook(): number {
    return Math.max(Date.now(), newestOf(this.current ?? NOTHING) + 1);
  }

  /** Takes the answer to the look that began at `lookedAt`; `accept`: an operator says that a whole answer is right. */
  take(answer: CentOpsList, lookedAt: number, accept = false): Taken {
    const known = this.current?.agents ?? [];
    const agents = asKnown(known, answer).map((agent) => ({ ...agent, listedAt: lookedAt }));
    const verdict = isWhole(answer)
      ? this.missing.judge(idsOf(known), new Set(idsOf(agents)), accept)
      : this.missing.restart();
    const departed = verdict.left.map((id) => ({ id, leftAt: lookedAt }));
    const diff = this.merge({ agents, departed, missing: [] });
    if (accept) this.missing.approve();
    return { diff, missing: verdict.kept.length, suspicious: verdict.suspicious };
  }

  /** The look had no answer. */
  fail(): void {
    this.missing.restart();
  }

  /** Takes in what a neighbour knows. */
  follow(snapshot: AgentSnapshot): Doubts {
    const diff = this.merge(snapshot);
    const mine = new Set(idsOf(this.current?.agents ?? []));
    return { gone: diff.removed.length > 0, missing: snapshot.missing.some((id) => mine.has(id)) };
  }

  /**
   * An operator says that an agent left which nobody remembers; one that is remembered keeps its time. Throws FinalError AGENT_LISTED, or RetryableError
   * AGENTS_UNKNOWN before the first list.
   */
  depart(id: string): DepartedAgent {
    if (!this.current) {
      throw new RetryableError('AGENTS_UNKNOWN', 'The agent list is not there yet: nobody knows who left');
    }
    if (this.current.agents.some((agent) => agent.id === id)) {
      throw new FinalError('AGENT_LISTED', `Agent ${id} is listed by CentOps; remove it there first`);
    }
    const known = this.current.departed.find((agent) => agent.id === id);
    if (known) return known;
    const departed = { id, leftAt: this.beginLook() };
    this.merge({ ...NOTHING, departed: [departed] });
    return departed;
  }

  private merge(snapshot: AgentSnapshot): AgentDiff {
    const before = new Map((this.current?.agents ?? []).map((agent) => [agent.id, agent]));
    const merged = withoutLongGone(mergeSnapshots(this.current ?? NOTHING, snapshot), this.keepDepartedMs);
    this.current = merged;
    const diff = diffAgents(before, merged.agents);
    for (const { id, listedAt } of merged.agents) if (before.get(id)?.listedAt !== listedAt) this.missing.seen(id);
    for (const { id } of diff.removed) this.missing.gone(id);
    return diff;
  }
}

function idsOf(agents: { id: string }[]): string[] {
  return agents.map(({ id }) => id);
}

/**
 * The agents of an answer under the names they have here. A UUID means the same in either case, but queues and logins
 * are bound to one spelling: a known agent keeps it. Of two entries for a known agent neither is believed.
 */
function asKnown(known: AgentRecord[], answer: CentOpsList): AgentRecord[] {
  const exact = new Map(known.map((agent) => [agent.id, agent]));
  const spelled = new Map(known.map((agent) => [agent.id.toLowerCase(), agent]));
  return answer.agents.map((agent) => {
    const own = exact.get(agent.id) ?? spelled.get(agent.id.toLowerCase());
    if (!own) return agent;
    return answer.contradicted?.includes(agent.id) ? own : { ...agent, id: own.id };
  });
}
