import type { KeyObject } from 'node:crypto';
import { importPublicKey } from '../crypto/keys';
import type { AgentDiff, AgentRecord, PartialRecord } from './agent-record';
import { PreviousKeys, type PreviousKey } from './previous-keys';

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
  private changes = 0;
  private readonly previous: PreviousKeys;

  /** How long the key of an agent that changed it still counts beside the new one, ms. */
  constructor(overlapMs = 0) {
    this.previous = new PreviousKeys(overlapMs);
  }

  /** True once any whole list has arrived. */
  get ready(): boolean {
    return this.known;
  }

  /** Another number after every change of the list. */
  get revision(): number {
    return this.changes;
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

  /**
   * The public keys that the agent's signature may be made with: the listed one, then the one before it for the time of
   * the overlap, since what it signed may have waited in a queue. Throws as `keyOf`; empty for a stranger.
   */
  keysOf(id: string): KeyObject[] {
    const listed = this.keyOf(id);
    if (!listed) return [];
    const old = this.previous.of(id);
    return old ? [listed, old] : [listed];
  }

  /** The keys that count beside the listed ones. */
  get previousKeys(): PreviousKey[] {
    return this.previous.list();
  }

  /** Takes what an earlier process knew. */
  restore(list: AgentRecord[], previous: PreviousKey[]): void {
    this.previous.restore(previous);
    this.replace(list);
  }

  /** Takes the whole list and says what it changed. */
  replace(list: AgentRecord[]): AgentDiff {
    const diff = diffAgents(this.agents, list);
    this.rememberKeys(diff);
    this.agents = new Map(list.map((agent) => [agent.id, agent]));
    for (const agent of [...diff.rekeyed, ...diff.removed]) this.keys.delete(agent.id);
    this.known = true;
    if (!isEmptyDiff(diff)) this.changes += 1;
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

  /** Who left and comes back has no earlier key: it was taken away, not replaced. */
  private rememberKeys({ rekeyed, removed }: AgentDiff): void {
    for (const { id } of removed) this.previous.forget(id);
    for (const { id } of rekeyed) {
      const before = this.agents.get(id);
      if (before) this.previous.remember(id, before.authenticationCertificate);
    }
  }
}
