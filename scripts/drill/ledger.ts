import type { Arrival } from './chatbot';

/** What is known of one message. */
export interface Entry {
  id: string;
  from: string;
  to: string;
  /** The fault during which it was posted first. */
  fault: string;
  postedAt: number;
  /** When the sender's chatbot got its 200 or 202, ms since the epoch. */
  acceptedAt?: number;
  /** Posts that were not answered with success. */
  errors: number;
  /** When the recipient's chatbot took it first. */
  takenAt?: number;
  /** Further times it was taken although nothing said that it might be a repetition. */
  doubled: number;
  /** Further times it was taken, announced as a possible repetition. */
  repeated: number;
  /** Taken after a later one of its chat. */
  outOfOrder: boolean;
  /** The queue of refuse that it lies in, and why. */
  putAway?: string;
}

/** Sums over the messages of one fault. */
export interface Sums {
  posted: number;
  accepted: number;
  delivered: number;
  lost: number;
  twice: number;
  repeated: number;
  outOfOrder: number;
  errors: number;
  /** Number of messages by queue and reason. */
  putAway: Map<string, number>;
}

/** Every message of the drill: whether it was accepted, whether and how often it arrived, where it lies now. */
export class Ledger {
  private readonly entries = new Map<string, Entry>();
  private readonly byFault = new Map<string, Entry[]>();
  private readonly lastPlace = new Map<string, number>();
  private readonly open = new Set<Entry>();

  posted(id: string, from: string, to: string, fault: string): Entry {
    const entry: Entry = {
      id,
      from,
      to,
      fault,
      postedAt: Date.now(),
      errors: 0,
      doubled: 0,
      repeated: 0,
      outOfOrder: false,
    };
    this.entries.set(id, entry);
    const ofFault = this.byFault.get(fault);
    if (ofFault) ofFault.push(entry);
    else this.byFault.set(fault, [entry]);
    return entry;
  }

  accepted(entry: Entry): void {
    entry.acceptedAt = Date.now();
    if (!entry.takenAt) this.open.add(entry);
  }

  /** A chatbot has it; only what it took counts. */
  arrived(arrival: Arrival): void {
    const entry = this.entries.get(arrival.id);
    if (!entry || arrival.mode !== 'take') return;
    if (entry.takenAt) return this.again(entry, arrival);
    entry.takenAt = arrival.at;
    this.open.delete(entry);
    const last = this.lastPlace.get(arrival.chatId) ?? 0;
    entry.outOfOrder = arrival.place < last;
    this.lastPlace.set(arrival.chatId, Math.max(last, arrival.place));
  }

  /** It lies in a dead-letter queue or in validation-failures. */
  putAway(id: string, where: string): void {
    const entry = this.entries.get(id);
    if (!entry) return;
    entry.putAway = where;
    this.open.delete(entry);
  }

  /** Accepted, and neither taken nor put away yet. */
  get outstanding(): number {
    return this.open.size;
  }

  /**
   * When, ms since the epoch, every pair of agents had a message of this fault through that was posted after `since`;
   * undefined when some pair has not yet.
   */
  throughSince(fault: string, since: number, pairs: number): number | undefined {
    const first = new Map<string, number>();
    for (const { from, to, postedAt, takenAt } of this.byFault.get(fault) ?? []) {
      if (postedAt < since || takenAt === undefined) continue;
      const pair = `${from} ${to}`;
      first.set(pair, Math.min(first.get(pair) ?? Infinity, takenAt));
    }
    return first.size < pairs ? undefined : Math.max(...first.values());
  }

  countOf(fault: string): number {
    return this.byFault.get(fault)?.length ?? 0;
  }

  lost(): Entry[] {
    return [...this.open];
  }

  /** The sums over the messages that were posted during a fault, or over all. */
  sums(fault?: string): Sums {
    const sums: Sums = {
      posted: 0,
      accepted: 0,
      delivered: 0,
      lost: 0,
      twice: 0,
      repeated: 0,
      outOfOrder: 0,
      errors: 0,
      putAway: new Map(),
    };
    const entries = fault === undefined ? this.entries.values() : (this.byFault.get(fault) ?? []);
    for (const entry of entries) add(sums, entry);
    return sums;
  }

  private again(entry: Entry, arrival: Arrival): void {
    if (arrival.redelivered) entry.repeated += 1;
    else entry.doubled += 1;
  }
}

function add(sums: Sums, entry: Entry): void {
  const accepted = entry.acceptedAt !== undefined;
  const taken = entry.takenAt !== undefined;
  sums.posted += 1;
  sums.accepted += Number(accepted);
  sums.delivered += Number(taken);
  sums.lost += Number(accepted && !taken && entry.putAway === undefined);
  sums.twice += entry.doubled;
  sums.repeated += entry.repeated;
  sums.outOfOrder += Number(entry.outOfOrder);
  sums.errors += entry.errors;
  if (entry.putAway !== undefined && !taken)
    sums.putAway.set(entry.putAway, (sums.putAway.get(entry.putAway) ?? 0) + 1);
}
