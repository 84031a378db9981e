import type { KeyObject } from 'node:crypto';
import { importPublicKey } from '../crypto/keys';
import type { AgentDiff, AgentRecord, PartialRecord } from './agent-record';

/** True when the diff says nothing. */
export function isEmptyDiff(diff: AgentDiff): boolean {
  return diff.added.length + diff.changed.length + diff.removed.length === 0;
}

/** What it takes to get from `before` to `after`. */
export function diffAgents(before: ReadonlyMap<string, AgentRecord>, after: AgentRecord[]): AgentDiff {
  const kept = new Set(after.map((agent) => agent.id));
  const changed = after.filter((agent) => isChanged(before.get(agent.id), agent));
  return {
    added: after.filter((agent) => !before.has(agent.id)),
    changed,
    rekeyed: changed.filter(
      (agent) => before.get(agent.id)?.authenticationCertificate !== agent.authenticationCertificate,
    ),
    removed: [...before.values()].filter((agent) => !kept.has(agent.id)),
  };
}

function isChanged(old: AgentRecord | undefined, now: AgentRecord): boolean {
  if (old === undefined) return false;
  return (
    old.name !== now.name ||
    old.authenticationCertificate !== now.authenticationCertificate ||
    old.updatedAt !== now.updatedAt ||
    old.createdAt !== now.createdAt
  );
}

/** Who is there and with which key; a key is imported at its first use and kept until the agent's key changes. */
export class AgentDirectory {
  private agents = new Map<string, AgentRecord>();
  private readonly keys = new Map<string, KeyObject>();
  private known = false;

  /** True once any whole list has arrived. */
  get ready(): boolean {
    return this.known;
  }

  get size(): number {
    return this.agents.size;
  }

  get(id: string): AgentRecord | undefined {
    return this.agents.get(id);
  }

  list(): AgentRecord[] {
    return [...this.agents.values()];
  }

  /** The agent's public key; throws FinalError KEY_INVALID when it is not an RSA key, undefined for a stranger. */
  keyOf(id: string): KeyObject | undefined {
    const known = this.keys.get(id);
    if (known) return known;
    const agent = this.agents.get(id);
    if (!agent) return undefined;
    const key = importPublicKey(agent.authenticationCertificate);
    this.keys.set(id, key);
    return key;
  }

  /** Takes the whole list and says what it changed. */
  replace(list: AgentRecord[]): AgentDiff {
    const diff = diffAgents(this.agents, list);
    this.agents = new Map(list.map((agent) => [agent.id, agent]));
    for (const agent of [...diff.rekeyed, ...diff.removed]) this.keys.delete(agent.id);
    this.known = true;
    return diff;
  }

  /**
   * Takes a partial list: what is marked deleted goes, the rest is added or replaced. Before the first whole list it
   * changes nothing: everybody whom it does not name would pass for unknown.
   */
  patch(list: PartialRecord[]): AgentDiff {
    if (!this.known) return { added: [], changed: [], rekeyed: [], removed: [] };
    const next = new Map(this.agents);
    for (const { deleted, ...agent } of list) {
      if (deleted) next.delete(agent.id);
      else next.set(agent.id, agent);
    }
    return this.replace([...next.values()]);
  }
}
