import type { ConsumeMessage } from 'amqplib';
import type { AmqpConnection } from '../amqp/connection';
import { within } from '../amqp/within';
import type { Publisher } from '../amqp/publisher';
import { scanQueue, type Scanned, type ScanOptions, type Verdict } from '../amqp/scan';
import { dlqName, isForDead, VALIDATION_FAILURES } from '../amqp/topology';
import type { QueueTtlConfig } from '../config/types';
import { DmrError, messageOf, RetryableError } from '../errors';
import type { Log } from '../log';
import { copiedHeaders, replayHeaders, returnsOf } from './headers';
import { idOfMessage, timeOfLetter } from './letter';
import type { Selection } from './selection';
import { Window } from './window';

/** RabbitMQ 4 deletes a message of a queue without a DLX at its 21st return; who looks before may die with it in hand. */
const RENEW_AFTER = 10;
const CONFIRM_TIMEOUT_MS = 10_000;
/** A scan ends by itself before the call for it does; what is left needs another. */
const SCAN_TIMEOUT_MS = 90_000;
/** For what is in the window of a scan as the node stops: a confirm, the acks, and the way back of what was held. */
const STOP_LIMIT_MS = 5000;
const WINDOW = { count: 64, bytes: 8 * 2 ** 20 };

export interface Options {
  /** Says what would happen, and changes nothing. */
  dryRun?: boolean;
  /** Matching messages, at the most. */
  limit?: number;
  /** Hears the id of each message that leaves the queue. */
  note?: (id: string) => void;
}

export interface Removal {
  queue: string;
  dryRun: boolean;
  matched: number;
  /** Messages still there, the failed ones among them; null where the way through the queue was interrupted. */
  left: number | null;
  /** The whole queue was looked at, as far as it reached when this began. */
  complete: boolean;
  /** What ended it early. */
  error?: { code: string; message: string };
}

export interface Replayed extends Removal {
  replayed: number;
  /** Not confirmed in the agent's queue, and so still dead letters; the first one ends the replay. */
  failed: number;
}

export interface Purged extends Removal {
  /** At the most, where it was interrupted. */
  purged: number;
}

type Look = ScanOptions['look'];

/** What operators do with the messages that nobody should need: look, replay, purge. */
export class DeadLetters {
  private readonly stopping = new AbortController();
  private readonly scans = new Set<Promise<unknown>>();
  private stopped: Promise<void> | undefined;

  constructor(
    private readonly connection: AmqpConnection,
    private readonly publisher: Publisher,
    private readonly ttl: QueueTtlConfig,
    private readonly log: Log,
  ) {}

  /**
   * From now on everything here is refused with RetryableError NODE_STOPPING, and what goes on ends with what it has under
   * way and says how far it came. Resolves when it has ended, after 5 s at the latest: then copies that are not confirmed
   * may lie in both queues, as when the process dies.
   */
  stop(): Promise<void> {
    this.stopping.abort();
    this.stopped ??= this.scansEnded();
    return this.stopped;
  }

  private async scansEnded(): Promise<void> {
    try {
      await within(
        Promise.allSettled(this.scans),
        STOP_LIMIT_MS,
        'the way through a queue of dead letters does not end',
      );
    } catch (error) {
      this.log.warn(`dead letters may lie in two queues: ${messageOf(error)}`);
    }
  }

  /** The first messages of a queue as `describe` shows them, in order; counts as one delivery of each. */
  async peek<T>(queue: string, limit: number, describe: (message: ConsumeMessage) => T, ifUnused = false) {
    const shown: T[] = [];
    const look = (message: ConsumeMessage) => {
      shown.push(describe(message));
      return Promise.resolve<Verdict>('stay');
    };
    const { complete } = await this.scan(queue, { limit, ifUnused, look });
    if (!complete && shown.length < limit) this.refuseIfStopping();
    return shown;
  }

  /**
   * The message at the head of any queue that nobody consumes, which stays there; counts as one delivery of it.
   * Throws as `scanQueue`.
   */
  async head(queue: string): Promise<ConsumeMessage | undefined> {
    return (await this.peek(queue, 1, (message) => message, true))[0];
  }

  /** The first message with this id; `complete` says whether the whole queue was looked at in vain. */
  async find<T>(queue: string, id: string, describe: (message: ConsumeMessage) => T) {
    let found: T | undefined;
    const { complete } = await this.scan(queue, {
      look: (message) => {
        if (idOfMessage(message) !== id) return Promise.resolve('stay');
        found = describe(message);
        return Promise.resolve('end');
      },
    });
    return { found, complete };
  }

  /**
   * Puts dead letters back into the agent's queue, body and id as they are. Each leaves the dead-letter queue only after
   * its copy was confirmed: a crash in between leaves two copies, of which the receiver drops one by its id.
   */
  async replay(agentId: string, selection: Selection, options: Options): Promise<Replayed> {
    const { dryRun = false, limit = Infinity, note } = options;
    const queue = dlqName(agentId);
    const window = new Window(WINDOW.count, WINDOW.bytes);
    const done: Replayed = { queue, dryRun, matched: 0, replayed: 0, failed: 0, left: 0, complete: false };
    const republish = async (message: ConsumeMessage) => {
      try {
        await this.publish(message, agentId, replayHeaders(message));
        done.replayed += 1;
        note?.(idOfMessage(message));
        return true;
      } catch (error) {
        done.failed += 1;
        done.error ??= asError(error);
        return false;
      }
    };
    const look: Look = async (message) => {
      if (done.failed > 0 || done.matched >= limit) return 'end';
      if (!selection.matches(message)) return 'stay';
      done.matched += 1;
      if (dryRun) return 'stay';
      const { result } = await window.begin(message.content.length, () => republish(message));
      return { taking: result };
    };
    return this.remove(done, look, () => done.replayed);
  }

  /** Deletes messages for good. */
  async purge(queue: string, selection: Selection, options: Options): Promise<Purged> {
    const { dryRun = false, limit = Infinity, note } = options;
    const done: Purged = { queue, dryRun, matched: 0, purged: 0, left: 0, complete: false };
    const look: Look = (message) => {
      if (done.matched >= limit) return Promise.resolve('end');
      if (!selection.matches(message)) return Promise.resolve('stay');
      done.matched += 1;
      if (dryRun) return Promise.resolve('stay');
      done.purged += 1;
      note?.(idOfMessage(message));
      return Promise.resolve({ taking: Promise.resolve(true) });
    };
    return this.remove(done, look, () => done.purged);
  }

  /** Goes through the queue. What was done before an interruption is an answer; where nothing was, it is thrown. */
  private async remove<T extends Removal>(done: T, look: Look, removed: () => number): Promise<T> {
    try {
      const { total, complete } = await this.scan(done.queue, { look });
      if (!complete && this.stopping.signal.aborted) done.error ??= asError(nodeStops());
      return { ...done, left: total - removed(), complete: complete && !done.error };
    } catch (error) {
      if (removed() === 0) throw error;
      return { ...done, left: null, error: done.error ?? asError(error) };
    }
  }

  private async scan(queue: string, options: Omit<ScanOptions, 'timeoutMs' | 'renew' | 'signal'>): Promise<Scanned> {
    this.refuseIfStopping();
    const renew = (message: ConsumeMessage) => this.renew(queue, message);
    const { signal } = this.stopping;
    const scanning = scanQueue(this.connection, queue, { ...options, timeoutMs: SCAN_TIMEOUT_MS, renew, signal });
    this.scans.add(scanning);
    try {
      return await scanning;
    } finally {
      this.scans.delete(scanning);
    }
  }

  private refuseIfStopping(): void {
    if (this.stopping.signal.aborted) throw nodeStops();
  }

  /**
   * Before the broker's limit takes a message that was looked at too often, a copy follows at the end of the queue, for
   * what is left of the lifetime. One that outlived ours lies in a queue that was declared with a longer one, which
   * ends it. Never in an agent's queue: order counts there, and its broker dead-letters at the limit.
   * RabbitMQ 3 has no limit unless somebody sets one.
   */
  private renew(queue: string, message: ConsumeMessage): Promise<boolean> | undefined {
    const major = Number.parseInt(this.connection.brokerVersion ?? '', 10);
    if (!(major >= 4) || !isForDead(queue) || returnsOf(message) < RENEW_AFTER) return undefined;
    const since = timeOfLetter(message) ?? Date.now();
    const ttlMs = queue === VALIDATION_FAILURES ? this.ttl.validationFailuresTtlMs : this.ttl.dlqTtlMs;
    const leftMs = Math.min(ttlMs, since + ttlMs - Date.now());
    return this.publish(message, queue, copiedHeaders(message), leftMs > 0 ? leftMs : undefined).then(
      () => true,
      (error: unknown) => {
        this.log.warn(`a message of ${queue} could not be renewed: ${messageOf(error)}`);
        return false;
      },
    );
  }

  private publish(message: ConsumeMessage, queue: string, headers: Record<string, unknown>, expirationMs?: number) {
    const messageId = idOfMessage(message);
    return this.publisher.publish(
      { queue, body: message.content, messageId, headers, expirationMs },
      CONFIRM_TIMEOUT_MS,
    );
  }
}

function nodeStops(): RetryableError {
  return new RetryableError('NODE_STOPPING', 'This node stops; what is left is there for another one');
}

function asError(error: unknown): Removal['error'] {
  return { code: error instanceof DmrError ? error.code : 'INTERNAL', message: messageOf(error) };
}
