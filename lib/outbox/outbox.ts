import { setTimeout as delay } from 'node:timers/promises';
import { backoffMs } from '../amqp/backoff';
import { messageOf } from '../errors';
import type { Gate } from '../gate';
import { HttpError } from '../http/problem';
import type { Log } from '../log';
import type { Envelope } from '../protocol/envelope';
import type { AgentStore } from '../store/agent-store';
import type { Metrics } from '../telemetry/metrics';
import { traceField } from '../telemetry/trace-context';
import type { Tracing } from '../telemetry/tracing';
import { Turns } from '../turns';
import { UplinkLostError } from '../uplink/uplink-lost';
import { attempt, type Transmit } from './attempt';
import { OutboxStore, type Waiting } from './outbox-store';
import { SendSpan } from './send-span';
import type { SentMemory } from './sent-memory';

export interface OutboxContext {
  store: AgentStore;
  sent: SentMemory;
  transmit: Transmit;
  /** Open while messages can go up. */
  uplink: Gate;
  /** How many messages may wait. */
  maxMessages: number;
  /** How long one may wait, ms. */
  maxAgeMs: number;
  metrics: Metrics;
  tracing: Tracing;
  log: Log;
}

/** A message at the head of its lane; its span begins with its first try and ends with this process at the latest. */
interface Sending {
  item: Waiting;
  span: SendSpan | undefined;
  failed: string | undefined;
  /** Connections in a row that were lost while it was under way, and while nothing else was: since its last answer. */
  losses: number;
  lossesAlone: number;
}

/** Why a message will not be sent any more; a label of a metric. */
type FailureCode = 'EXPIRED' | 'REFUSED' | 'UNREADABLE' | 'SOCKET_LOST';

/** Nobody waits for the answer, so the server may take its time: longer than for its broker's confirm, ms. */
const ANSWER_TIMEOUT_MS = 10_000;
/** Before the next try after a refusal for now, or none, ms; doubles with each. */
const [RETRY_MS, RETRY_MAX_MS] = [500, 30_000];
/** Before the next try after a first lost connection, ms: the uplink itself is waited for. */
const LOST_PAUSE_MS = 100;
/** A server that restarts may lose its connection while a message is alone under way, but not so often in a row. */
const MAX_LOSSES_ALONE = 8;
/** Before what could not be written is written again, ms. */
const REWRITE_MS = 5000;

/**
 * Sealed messages that wait on the disk for the server. They go up one after the other for each recipient, in the order
 * they were added; recipients do not wait for each other. What has not been seen to arrive is sent again with the same
 * id, by the next process if need be; what the connection was lost with goes up with no other such beside it, so that a
 * message at which a server hangs up is told from those it took with it.
 */
export class Outbox {
  private readonly lanes = new Map<string, Waiting[]>();
  private readonly files: OutboxStore;
  private readonly end = new AbortController();
  private readonly suspects = new Turns();
  private count = 0;

  /** Throws RetryableError STORAGE_FAILED. */
  constructor(private readonly context: OutboxContext) {
    this.files = new OutboxStore(context.store, context.sent);
  }

  /** Takes up what an earlier process has left. */
  start(): void {
    for (const item of this.files.load()) this.enqueue(item);
    this.counted(this.lanesSize());
    if (this.count > 0) this.context.log.info('messages wait in the outbox', { waiting: this.count });
  }

  /** Ends the sending; what waits stays on the disk. */
  stop(): void {
    this.end.abort();
  }

  /** Whether it takes messages: it is not full, and the disk takes what is written. */
  get ok(): boolean {
    return this.context.store.writable && this.count < this.context.maxMessages;
  }

  get waiting(): number {
    return this.count;
  }

  /** How long the oldest has waited, ms; 0 when none does. */
  get oldestAgeMs(): number {
    const heads = [...this.lanes.values()].flatMap(([head]) => (head ? [head.at] : []));
    return heads.length > 0 ? Math.max(0, Date.now() - Math.min(...heads)) : 0;
  }

  /**
   * Puts what `seal` makes at the end of its recipient's lane; resolves when it is on the disk. Throws HttpError 503
   * OUTBOX_FULL, what `seal` throws, RetryableError STORAGE_FAILED: nothing is remembered of it, or it is sent all the same.
   */
  async add(seal: () => Promise<Envelope>, digest: string): Promise<void> {
    if (this.count >= this.context.maxMessages) {
      const why = `${this.count} messages wait for the DMR server already, send it again later`;
      throw new HttpError(503, 'OUTBOX_FULL', why, undefined, 30);
    }
    this.counted(1); // before the first wait, so that many at once cannot pass the limit together
    let item: Waiting | undefined;
    try {
      const envelope = await seal();
      item = this.files.place(envelope, digest);
      await this.files.add(item, envelope);
      const { id: messageId, senderId, recipientId } = envelope;
      const ids = { messageId, senderId, recipientId, ...traceField(envelope) };
      this.context.log.debug('message stored to be sent', { event: 'stored', ...ids });
    } finally {
      // Not whether it threw: lmdb commits before it syncs, and the caller's retry hears of what was committed that it waits.
      if (item && this.files.has(item)) this.enqueue(item);
      else this.counted(-1);
    }
    // Should this fail, the message goes out all the same, and the caller's retry finds it.
    await this.context.store.flushed();
  }

  private enqueue(item: Waiting): void {
    const lane = this.lanes.get(item.recipientId);
    if (lane) return void lane.push(item);
    const started = [item];
    this.lanes.set(item.recipientId, started);
    void this.run(item.recipientId, started);
  }

  private async run(recipientId: string, lane: Waiting[]): Promise<void> {
    for (let head = lane[0]; head; head = lane[0]) {
      await this.handUp(head);
      if (this.end.signal.aborted) return;
      lane.shift();
      this.counted(-1);
    }
    this.lanes.delete(recipientId);
  }

  /** Resolves when the message has left, has failed for good, or the sending has ended. */
  private async handUp(item: Waiting): Promise<void> {
    const sending: Sending = { item, span: undefined, failed: 'STOPPED', losses: 0, lossesAlone: 0 };
    await this.tryUntilDone(sending);
    sending.span?.end(sending.failed);
  }

  private async tryUntilDone(sending: Sending): Promise<void> {
    const { item } = sending;
    for (let failed = 0; !this.end.signal.aborted;) {
      const left = item.at + this.context.maxAgeMs - Date.now();
      if (left <= 0) {
        await this.fail(sending, 'EXPIRED', `no server took it within ${this.context.maxAgeMs} ms`);
        return;
      }
      if (!(await this.context.uplink.passed(left, this.end.signal))) continue;
      const isSuspect = sending.losses > 0;
      const outcome = await (isSuspect ? this.suspects.run('', () => this.tryOnce(sending)) : this.tryOnce(sending));
      if (outcome === 'done') return;
      failed = outcome === 'later' ? failed + 1 : 0;
      const failures = failed || sending.losses - 1;
      const pause = failures > 0 ? backoffMs(failures, RETRY_MS, RETRY_MAX_MS) : LOST_PAUSE_MS;
      await this.pause(Math.min(pause, left));
    }
  }

  private async tryOnce(sending: Sending): Promise<'done' | 'later' | 'lost'> {
    try {
      const envelope = this.files.envelope(sending.item);
      if (!envelope) return await this.fail(sending, 'UNREADABLE', 'it cannot be read from the disk');
      sending.span ??= new SendSpan(this.context.tracing, envelope);
      const tried = await attempt(this.context.transmit, sending.span.envelope, ANSWER_TIMEOUT_MS);
      sending.span.tried(tried);
      if (tried.result === 'taken') return await this.taken(sending);
      if (tried.result === 'not-sent') return 'lost';
      if (tried.result === 'unknown' && tried.error.code !== 'NO_ANSWER') return await this.lost(sending, tried.error);
      Object.assign(sending, { losses: 0, lossesAlone: 0 });
      if (tried.result === 'unknown') return 'later';
      return tried.final ? await this.fail(sending, 'REFUSED', tried.why) : 'later';
    } catch (error) {
      this.context.log.error(`a message of the outbox could not be sent: ${messageOf(error)}`, idsOf(sending));
      return 'later';
    }
  }

  private async lost(sending: Sending, error: Error): Promise<'done' | 'lost'> {
    sending.losses += 1;
    if (error instanceof UplinkLostError && error.alone) sending.lossesAlone += 1;
    if (sending.lossesAlone < MAX_LOSSES_ALONE) return 'lost';
    const why = `the connection was lost ${MAX_LOSSES_ALONE} times in a row while it alone was under way`;
    return this.fail(sending, 'SOCKET_LOST', `${why}; it may be larger than a proxy or the server takes`);
  }

  private async taken(sending: Sending): Promise<'done'> {
    sending.failed = undefined;
    this.context.metrics.inc('dmr_messages_sent_total');
    this.context.log.debug('message taken by the server', { event: 'taken', ...idsOf(sending) });
    return this.settle(() => this.files.settle(sending.item, 'sent'));
  }

  private async fail(sending: Sending, code: FailureCode, why: string): Promise<'done'> {
    sending.failed = code;
    this.context.metrics.inc('dmr_outbox_failed_total', { reason: code });
    const ids = idsOf(sending);
    this.context.log.warn('a message of the outbox will not be sent', { event: 'outbox-failed', code, ...ids });
    return this.settle(() => this.files.settle(sending.item, 'failed', `${code}: ${why}`));
  }

  /**
   * Waits for the disk, so that a process that is killed repeats no more than one message to each recipient; but a disk
   * that takes nothing must not hold back those that follow.
   */
  private async settle(write: () => Promise<void>): Promise<'done'> {
    try {
      await write();
    } catch (error) {
      this.context.log.error(`the outbox could not be written: ${messageOf(error)}`);
      void this.settleLater(write);
    }
    return 'done';
  }

  private async settleLater(write: () => Promise<void>): Promise<void> {
    for (let written = false; !written && !this.end.signal.aborted;) {
      await this.pause(REWRITE_MS);
      written = await write().then(
        () => true,
        () => false, // the first time was told
      );
    }
  }

  private async pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.end.signal, ref: false }).catch(() => undefined); // the end is looked for
  }

  private counted(change: number): void {
    this.count += change;
    this.context.metrics.set('dmr_outbox_messages', this.count);
  }

  private lanesSize(): number {
    return [...this.lanes.values()].reduce((sum, lane) => sum + lane.length, 0);
  }
}

function idsOf({ item: { id, recipientId }, span }: Sending): object {
  return { messageId: id, senderId: span?.envelope.senderId, recipientId, ...traceField(span?.envelope) };
}
