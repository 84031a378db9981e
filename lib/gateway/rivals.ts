/** One login of one agent, as other nodes know it. */
export interface Login {
  agentId: string;
  /** By the clock of its node, ms since the epoch. */
  since: number;
  nodeID: string;
}

/** What a node says to a login elsewhere: whether a login here goes before it, and which one here has given way. */
export interface Yielded {
  newer: boolean;
  gone?: string;
}

/** The answers of all nodes in one. */
export interface Outcome {
  newer: boolean;
  /** Names of the logins that gave way. */
  gone: string[];
}

/** A name for a login that no other has. */
export function nameOf({ since, nodeID }: Login): string {
  return `${since} ${nodeID}`;
}

/**
 * Whether `one` goes before `other`, the same on every node. Clocks differ: this decides between two logins only where
 * neither knew of the other, and any answer will do as long as it is the same one everywhere.
 */
export function isNewer(one: Login, other: Login): boolean {
  return one.since !== other.since ? one.since > other.since : one.nodeID > other.nodeID;
}
