import { messageOf } from '../errors';
import type { Log } from '../log';
import type { Envelope } from '../protocol/envelope';
import type { AgentDatabase, AgentStore } from '../store/agent-store';
import { Forgetting } from '../store/forgetting';

interface Seen {
  /** When it was seen first, ms. */
  at: number;
  /** The chatbot took it; else it may have it or not. */
  done?: true;
}

const SEEN = 'inbox-seen';
const BY_TIME = 'inbox-seen-by-time';
/** What could not be written is written again this many at a time. */
const REWRITES = 200;

/**
 * What was posted to the chatbot within the last while, on disk, so that neither a copy nor the end of the process makes
 * it a second question. An entry takes about 200 bytes.
 */
export class DuplicateWindow {
  private readonly seen: AgentDatabase<Seen>;
  private readonly forgetting: Forgetting;
  /** Taken by the chatbot while the disk refused to note it. */
  private readonly unwritten = new Map<string, number>();

  constructor(
    private readonly store: AgentStore,
    /** How long an id is remembered, ms. */
    spanMs: number,
    private readonly log: Log,
  ) {
    this.seen = store.database(SEEN);
    store.database(BY_TIME); // made now: a disk that is full later does not let it be made
    const aged = { entries: SEEN, times: BY_TIME, timeOf: (key: string) => this.seen.get(key)?.at, spanMs };
    this.forgetting = new Forgetting(
      store,
      aged,
      (error) => this.refused(error),
      () => this.rewrite(),
    );
  }

  /** Begins to forget what is old; until `stop`. */
  start(): void {
    this.forgetting.start();
  }

  /** Resolves after the step under way and a last try to write what could not be written. */
  async stop(): Promise<void> {
    await this.forgetting.stop();
    await this.rewrite().catch((error: unknown) => this.refused(error));
  }

  /** How many ids are remembered. */
  get size(): number {
    return this.seen.count();
  }

  /** Whether the chatbot took the message. */
  isDone(key: string): boolean {
    return this.unwritten.has(key) || this.seen.get(key)?.done === true;
  }

  /**
   * To be called before the first POST, and awaited: notes that the chatbot may have the message from now on. True when
   * that was noted before. Throws RetryableError STORAGE_FAILED.
   */
  async begin(key: string): Promise<boolean> {
    if (this.seen.get(key)) return true;
    await this.note(key, { at: Date.now() });
    return false;
  }

  /** Takes back what this `begin` noted, if it did, for a message that is not posted after all. Never throws. */
  async undo(key: string, begun: Promise<boolean> | undefined): Promise<void> {
    const wasNoted = await begun?.catch(() => true);
    if (wasNoted !== false) return;
    const { at } = this.seen.get(key) ?? {};
    if (at === undefined) return;
    const changes = [
      { database: SEEN, key },
      { database: BY_TIME, key: [at, key] },
    ];
    await this.store.write(changes).catch((error: unknown) => {
      this.log.warn(`a message that was not posted stays noted: ${messageOf(error)}`);
    });
  }

  /** To be called after the chatbot took it, and awaited before that is told to anybody. Never throws. */
  async done(key: string): Promise<void> {
    const { at } = this.seen.get(key) ?? { at: Date.now() };
    try {
      await this.note(key, { at, done: true });
    } catch (error) {
      // The chatbot has it, so nothing else may be answered. Until the disk works this process remembers.
      this.unwritten.set(key, at);
      this.log.error(`a delivered message is remembered in memory only: ${messageOf(error)}`);
    }
  }

  /** Writes what could not be written, and forgets what is old, a step at a time. */
  maintain(): Promise<void> {
    return this.forgetting.now();
  }

  private refused(error: unknown): void {
    this.log.warn(`the duplicate window waits for its disk: ${messageOf(error)}`);
  }

  private async rewrite(): Promise<void> {
    for (const [key, at] of [...this.unwritten].slice(0, REWRITES)) {
      await this.note(key, { at, done: true });
      this.unwritten.delete(key);
    }
  }

  private note(key: string, value: Seen): Promise<void> {
    return this.store.write([
      { database: SEEN, key, value },
      { database: BY_TIME, key: [value.at, key], value: 1 },
    ]);
  }
}

/** Under which a message is remembered. An id belongs to its sender: another's message under the same id is another one. */
export function keyOf({ senderId, id }: Envelope): string {
  return Buffer.from((senderId + id).replaceAll('-', ''), 'hex').toString('base64url');
}
