import { createHash } from 'node:crypto';
import { messageOf } from '../errors';
import type { Log } from '../log';
import type { OutgoingMessage } from '../protocol/chat-message';
import type { AgentDatabase, AgentStore, Change } from '../store/agent-store';
import { Forgetting } from '../store/forgetting';

/** `unknown`: the server may have it or not, the same message may be sent again. */
export type SentState = 'waiting' | 'sent' | 'failed' | 'unknown';

/** What is kept of a message; its words are not. */
export interface SentRecord {
  /** Of the message that the id stands for. */
  digest: string;
  state: SentState;
  /** When it came into this state, ms since the epoch. */
  since: number;
  /** Why it failed. */
  reason?: string;
}

/** A message lives for the lifetime of its queue plus, once dead-lettered and replayed, that of the other. */
export const SENT_SPAN_MS = 25 * 60 * 60 * 1000;
const SENT = 'sent';
const SENT_TIMES = 'sentTimes';

/** Which messages the chatbot has posted within the last while, so that its own retry is not a second question. */
export class SentMemory {
  private readonly sent: AgentDatabase<SentRecord>;
  private readonly forgetting: Forgetting;

  /** Throws RetryableError STORAGE_FAILED. */
  constructor(
    private readonly store: AgentStore,
    log: Log,
    private readonly spanMs = SENT_SPAN_MS,
  ) {
    this.sent = store.database(SENT);
    store.database(SENT_TIMES); // made now: a disk that is full later does not let it be made
    // What waits has no time, and is not forgotten.
    const aged = { entries: SENT, times: SENT_TIMES, timeOf: (id: string) => this.sent.get(id)?.since, spanMs };
    this.forgetting = new Forgetting(store, aged, (error) => {
      log.warn(`what was sent long ago stays on the disk: ${messageOf(error)}`);
    });
  }

  /** Begins to forget what is too old; until `stop`. */
  start(): void {
    this.forgetting.start();
  }

  /** Resolves after the step under way; the next process forgets the rest. */
  stop(): Promise<void> {
    return this.forgetting.stop();
  }

  get(id: string): SentRecord | undefined {
    const record = this.sent.get(id);
    return record && (record.state === 'waiting' || Date.now() - record.since < this.spanMs) ? record : undefined;
  }

  /** Resolves when committed. Throws RetryableError STORAGE_FAILED. */
  async remember(id: string, record: SentRecord): Promise<void> {
    await this.store.write(this.changes(id, record));
  }

  /** What remembers the record, to be written with something else. */
  changes(id: string, record: SentRecord): Change[] {
    const before = this.sent.get(id);
    const changes: Change[] = [{ database: SENT, key: id, value: record }];
    if (before) changes.push({ database: SENT_TIMES, key: [before.since, id] });
    if (record.state !== 'waiting') changes.push({ database: SENT_TIMES, key: [record.since, id], value: 1 });
    return changes;
  }

  /** Forgets what is too old, a step at a time. Never throws: what the disk refuses is done the next time. */
  forget(): Promise<void> {
    return this.forgetting.now();
  }
}

/** Tells messages apart under one id: the order of a JSON object's members means nothing (RFC 8259, 4). */
export function digestOf(message: OutgoingMessage): string {
  return createHash('sha256').update(canonical(message)).digest('base64');
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  members.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(',')}}`;
}
