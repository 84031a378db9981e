import { setTimeout as delay } from 'node:timers/promises';
import { percentiles, type Percentiles } from '../lib/statistics';
import { numberIn, sealLike } from './letters';

export interface FullLoad {
  /** So many send, each to the next of them. */
  senders: number;
  /** Messages of each sender that are not acked yet. */
  inFlight: number;
  warmUpMs: number;
  measureMs: number;
  payloadBytes: number;
}

export interface PacedLoad {
  senders: number;
  perSecond: number;
  count: number;
  payloadBytes: number;
}

/** What became of all that was sent. */
export interface Books {
  sent: number;
  accepted: number;
  delivered: number;
  refused: number;
  twice: number;
  /** Acked later than LATE_MS. */
  late: number;
  /** Text of the first refusal. */
  refusal?: string;
}

export interface FullLoadResult extends Books {
  /** Delivered per second within the measured time. */
  perSecond: number;
  /** CPU of this process per delivered message, microseconds. */
  cpuUs: number;
  /** From send to ack, ms. */
  ack: Percentiles;
  /** From send to arrival, ms. */
  arrival: Percentiles;
}

/** Sends message number `n` of this sender. */
export type Send = (sender: number, n: number, payload: string) => void;

const SETTLE_LIMIT_MS = 60_000;
const MOST = 1 << 24;
/** Each so many-th message is timed. */
const SAMPLE = 16;
/** How long an agent waits for an ack before it sends again, MESSAGE_DELIVERY_TIMEOUT_MS. */
const LATE_MS = 2000;

/** Makes load through `send` and keeps the books: what was sent, acked, and arrived, once or twice. */
export class Driver {
  private books = emptyBooks();
  private readonly sentAt = new Float64Array(MOST);
  private readonly seen = new Uint8Array(MOST);
  private ackTimes: number[] = [];
  private arrivalTimes: number[] = [];
  private onAck: (sender: number) => void = () => undefined;
  private settled: (() => void) | undefined;
  /** Number of the first message of this load: those of earlier ones are not counted. */
  private first = 0;
  private next = 0;
  /** Whether all are timed, or a sample. */
  private everyOne = false;

  constructor(
    private readonly send: Send,
    private readonly settleLimitMs = SETTLE_LIMIT_MS,
  ) {}

  acked(sender: number, n: number, ok: boolean, text: string): void {
    if (n < this.first) return;
    if (ok) this.books.accepted += 1;
    else {
      this.books.refused += 1;
      this.books.refusal ??= text.slice(0, 200);
    }
    const ms = performance.now() - (this.sentAt[n] as number);
    if (ms > LATE_MS) this.books.late += 1;
    if (n % SAMPLE === 0) this.ackTimes.push(ms);
    this.onAck(sender);
    this.settled?.();
  }

  /** @param text holds the id of the message */
  arrived(text: string): void {
    const n = numberIn(text);
    if (!(n >= this.first)) return;
    if (this.seen[n]) this.books.twice += 1;
    else this.books.delivered += 1;
    this.seen[n] = 1;
    if (n % SAMPLE === 0 || this.everyOne) this.arrivalTimes.push(performance.now() - (this.sentAt[n] as number));
    this.settled?.();
  }

  /** As much as the windows let through. @throws when not all that was accepted arrives */
  async full({ senders, inFlight, warmUpMs, measureMs, payloadBytes }: FullLoad): Promise<FullLoadResult> {
    this.begin(false);
    const payload = sealLike(payloadBytes);
    this.onAck = (sender) => this.one(sender, payload);
    for (let i = 0; i < senders; i++) for (let k = 0; k < inFlight; k++) this.one(i, payload);
    await delay(warmUpMs);
    [this.ackTimes, this.arrivalTimes] = [[], []];
    const [before, began, cpu] = [this.books.delivered, performance.now(), process.cpuUsage()];
    await delay(measureMs);
    const [count, ended, { user, system }] = [this.books.delivered - before, performance.now(), process.cpuUsage(cpu)];
    const [ack, arrival] = [percentiles(this.ackTimes), percentiles(this.arrivalTimes)];
    this.onAck = () => undefined;
    await this.end();
    return { ...this.books, perSecond: (count * 1000) / (ended - began), cpuUs: (user + system) / count, ack, arrival };
  }

  /** One message after the other at an even pace; how long each was on its way, ms. */
  async paced({ senders, perSecond, count, payloadBytes }: PacedLoad): Promise<Percentiles> {
    this.begin(true);
    const payload = sealLike(payloadBytes);
    const began = performance.now();
    for (let k = 0; k < count; k++) {
      await delay(began + (k * 1000) / perSecond - performance.now());
      this.one(k % senders, payload);
    }
    await this.end();
    return percentiles(this.arrivalTimes.slice(Math.ceil(count / 10))); // the first tenth warms up
  }

  /** Sends nothing; resolves when so many messages that others sent have arrived. */
  async arrivals(count: number): Promise<Books> {
    this.begin(false);
    this.first = 0;
    this.seen.fill(0);
    await this.until(() => this.books.delivered >= count);
    return this.books;
  }

  private begin(everyOne: boolean): void {
    this.books = emptyBooks();
    this.first = this.next;
    this.everyOne = everyOne;
    [this.ackTimes, this.arrivalTimes] = [[], []];
    this.onAck = () => undefined;
  }

  private one(sender: number, payload: string): void {
    const n = this.next++;
    this.books.sent += 1;
    this.sentAt[n] = performance.now();
    this.send(sender, n, payload);
  }

  private end(): Promise<void> {
    return this.until(() => {
      const { sent, accepted, refused, delivered } = this.books;
      return accepted + refused >= sent && delivered >= accepted;
    });
  }

  /** @throws past the limit */
  private async until(isOver: () => boolean): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const late = () => reject(new Error(`not settled in ${this.settleLimitMs} ms: ${JSON.stringify(this.books)}`));
      const timer = setTimeout(late, this.settleLimitMs);
      this.settled = () => {
        if (!isOver()) return;
        clearTimeout(timer);
        resolve();
      };
      this.settled();
    });
    this.settled = undefined;
  }
}

function emptyBooks(): Books {
  return { sent: 0, accepted: 0, delivered: 0, refused: 0, twice: 0, late: 0 };
}
