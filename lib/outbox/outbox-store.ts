import type { Envelope } from '../protocol/envelope';
import type { AgentDatabase, AgentStore } from '../store/agent-store';
import type { SentMemory } from './sent-memory';

/** A message that waits; its sealed envelope stays on the disk. */
export interface Waiting {
  /** Its place in the order. */
  seq: number;
  id: string;
  recipientId: string;
  /** When it was added, ms since the epoch. */
  at: number;
  /** Of the message that the chatbot posted. */
  digest: string;
}

const OUTBOX = 'outbox';
/** Beside the rest, so that a start need not read megabytes. */
const ENVELOPES = 'outboxEnvelopes';
const PAGE = 1000;

/** The outbox on the disk: what waits, in its order, and what became of it. All methods throw RetryableError STORAGE_FAILED. */
export class OutboxStore {
  private readonly waiting: AgentDatabase<Omit<Waiting, 'seq'>>;
  private readonly envelopes: AgentDatabase<Envelope>;
  private next: number;

  constructor(
    private readonly store: AgentStore,
    private readonly sent: SentMemory,
  ) {
    this.waiting = store.database(OUTBOX);
    this.envelopes = store.database(ENVELOPES);
    const [last] = this.waiting.range({ reverse: true, limit: 1 });
    this.next = ((last?.key as number | undefined) ?? 0) + 1;
  }

  /** All that waits, in order. */
  *load(): Generator<Waiting> {
    for (let start = 0; ;) {
      const page = this.waiting.range({ start, limit: PAGE });
      for (const { key, value } of page) yield { seq: key as number, ...value };
      if (page.length < PAGE) return;
      start = (page.at(-1)?.key as number) + 1;
    }
  }

  envelope({ seq }: Waiting): Envelope | undefined {
    return this.envelopes.get(seq);
  }

  /** The next place, for a message that is to be added. */
  place({ id, recipientId }: Envelope, digest: string): Waiting {
    return { seq: this.next++, id, recipientId, at: Date.now(), digest };
  }

  /** Resolves when it is committed: it survives the process. When it throws, `has` says whether it is there all the same. */
  async add({ seq, ...entry }: Waiting, envelope: Envelope): Promise<void> {
    await this.store.write([
      { database: OUTBOX, key: seq, value: entry },
      { database: ENVELOPES, key: seq, value: envelope },
      ...this.sent.changes(entry.id, { digest: entry.digest, state: 'waiting', since: entry.at }),
    ]);
  }

  has({ seq }: Waiting): boolean {
    return this.waiting.get(seq) !== undefined;
  }

  /** Takes it out and remembers what became of it, both or neither. */
  async settle({ seq, id, digest }: Waiting, state: 'sent' | 'failed', reason?: string): Promise<void> {
    await this.store.write([
      { database: OUTBOX, key: seq },
      { database: ENVELOPES, key: seq },
      ...this.sent.changes(id, { digest, state, since: Date.now(), ...(reason !== undefined && { reason }) }),
    ]);
  }
}
