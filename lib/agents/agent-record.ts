/** One organisation's agent as CentOps lists it and as it stands in the lists on the wire. */
export interface AgentRecord {
  /** UUID; also the name of its queue. */
  id: string;
  name: string;
  /** RSA public key: SPKI PEM, or an X.509 certificate. */
  authenticationCertificate: string;
  createdAt: string;
  updatedAt: string;
}

/** An agent in a partial list: `deleted` marks one that left. */
export type PartialRecord = AgentRecord & { deleted?: boolean };

/** What a newer list changes about an older one. */
export interface AgentDiff {
  added: AgentRecord[];
  /** New name, key or dates under the same id. */
  changed: AgentRecord[];
  /** The part of `changed` whose key is another one. */
  rekeyed: AgentRecord[];
  removed: AgentRecord[];
}

/** The whole list as one node saw it. */
export interface AgentSnapshot {
  agents: AgentRecord[];
  /** When CentOps gave it, ms since the epoch; the newer snapshot wins. */
  fetchedAt: number;
  /** Whether CentOps answered with the whole list. Nobody has left because a snapshot that is not whole lacks him. */
  whole?: boolean;
}
