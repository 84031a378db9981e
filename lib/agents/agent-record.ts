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

/** An agent as it stands in a snapshot. */
export interface ListedAgent extends AgentRecord {
  /** When the newest look that CentOps answered with this agent began; see AgentList `beginLook`. */
  listedAt: number;
}

/** An agent that left CentOps. */
export interface DepartedAgent {
  id: string;
  /** When the look began that confirmed it, on the same clock as `listedAt`. */
  leftAt: number;
}

/** All that one node knows of the list; any two are merged by `mergeSnapshots`. */
export interface AgentSnapshot {
  agents: ListedAgent[];
  departed: DepartedAgent[];
  /** Ids among `agents` that CentOps listed no longer at the last look: they have not left, but who hears of it looks too. */
  missing: string[];
}
