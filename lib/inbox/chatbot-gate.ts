import { backoffMs } from '../amqp/backoff';
import type { Patience } from './patience';

/** The right to make one POST, to be given back with what came of it. */
export interface Pass {
  key: string;
  probe: boolean;
}

interface Waiter {
  key: string;
  failures: number;
  admit: (pass?: Pass) => void;
}

const FIRST_PAUSE_MS = 500;
/** Between two tries of one message. */
const LONGEST_PAUSE_MS = 5000;
/** Between two probes: nothing reaches a chatbot that is back before the next. */
const LONGEST_PROBE_PAUSE_MS = 2000;
/** A probe without an answer for so long may hang at a chatbot that is back, so another goes beside it; up to so many. */
const [PROBE_ALONE_MS, MAX_PROBES] = [2000, 4];
const LONGEST_RETRY_AFTER_MS = 30_000;
/** So many failures in a row, of so many messages, are the chatbot's and not a message's. */
const FAILURES = 3;
const MESSAGES = 2;

/**
 * Keeps a chatbot that is down from being hammered by everything that waits for it. While it fails, one POST after the
 * other goes out as a probe, with growing pauses, for the message that was tried least; the first that gets through
 * opens it for all.
 */
export class ChatbotGate {
  private readonly line = new Set<Waiter>();
  private readonly failing = new Set<string>();
  private failures = 0;
  private shutFlag = false;
  /** Not answered yet. */
  private readonly underWay = new Set<Pass>();
  private probes = 0;
  /** By `performance.now()`, as all times here: it goes on whatever the clock is set to. */
  private nextProbeAt = 0;
  /** What the chatbot asked for; no failure that comes later makes it shorter. */
  private leftAloneUntil = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly onChange: (shut: boolean) => void = () => undefined) {}

  /** True while nothing but probes goes out. */
  get shut(): boolean {
    return this.shutFlag;
  }

  /**
   * Resolves when a message that failed so often may be posted; undefined when it had no patience left before. The first
   * time it needs none, unless the gate is shut and no probe is due: where nobody has any, they alone find the chatbot back.
   */
  async enter(key: string, failures: number, patience: Patience): Promise<Pass | undefined> {
    if (patience.stopping) return undefined;
    if (!this.shut && failures > 0) await patience.wait(backoffMs(failures, FIRST_PAUSE_MS, LONGEST_PAUSE_MS));
    if (patience.stopping || (patience.over && failures > 0)) return undefined;
    if (!this.shut) return { key, probe: false };
    if (!patience.over) return this.wait(key, failures, patience);
    return this.underWay.size === 0 && performance.now() >= this.nextProbeAt ? this.probeOf(key) : undefined;
  }

  /** The chatbot answered, whatever it was: it works. */
  answered(): void {
    this.failures = 0;
    this.failing.clear();
    if (!this.shut) return;
    clearTimeout(this.timer);
    this.underWay.clear();
    this.leftAloneUntil = 0;
    this.shutFlag = false;
    this.onChange(false);
    for (const { key, admit } of [...this.line]) admit({ key, probe: false });
  }

  /** The POST failed; the chatbot asked to be left alone for `retryAfterMs`. */
  failed(pass: Pass, retryAfterMs = 0): void {
    this.failures += 1;
    if (this.failing.size < MESSAGES) this.failing.add(pass.key);
    const isDown = this.failures >= FAILURES && this.failing.size >= MESSAGES;
    if (!this.shut && (isDown || retryAfterMs > 0)) this.close();
    if (!this.shut) return;
    const wasProbe = this.underWay.delete(pass);
    if (wasProbe) this.probes += 1;
    const asked = Math.min(retryAfterMs, LONGEST_RETRY_AFTER_MS);
    this.leftAloneUntil = Math.max(this.leftAloneUntil, performance.now() + asked);
    if (wasProbe || asked > 0 || this.nextProbeAt === 0)
      this.probeAfter(backoffMs(this.probes, FIRST_PAUSE_MS, LONGEST_PROBE_PAUSE_MS));
    this.plan();
  }

  /** There was no POST after all. */
  unused(pass: Pass): void {
    if (this.underWay.delete(pass)) this.probeAfter(FIRST_PAUSE_MS);
    this.plan();
  }

  private probeAfter(ms: number): void {
    this.nextProbeAt = Math.max(performance.now() + ms, this.leftAloneUntil);
  }

  private close(): void {
    this.shutFlag = true;
    this.probes = 1;
    this.nextProbeAt = 0;
    this.onChange(true);
  }

  private wait(key: string, failures: number, patience: Patience): Promise<Pass | undefined> {
    return new Promise((resolve) => {
      const admit = (pass?: Pass) => {
        this.line.delete(waiter);
        forget();
        resolve(pass);
      };
      const waiter: Waiter = { key, failures, admit };
      const forget = patience.onOver(admit);
      this.line.add(waiter);
      this.plan();
    });
  }

  private plan(): void {
    clearTimeout(this.timer);
    if (!this.shut || this.underWay.size >= MAX_PROBES || this.line.size === 0) return;
    const wait = Math.max(0, this.nextProbeAt - performance.now());
    this.timer = setTimeout(() => this.probe(), wait).unref();
  }

  private probe(): void {
    const [first, ...others] = this.line;
    if (!first) return;
    const least = others.reduce((best, waiter) => (waiter.failures < best.failures ? waiter : best), first);
    least.admit(this.probeOf(least.key));
    this.plan();
  }

  private probeOf(key: string): Pass {
    const pass = { key, probe: true };
    this.underWay.add(pass);
    this.probeAfter(PROBE_ALONE_MS);
    return pass;
  }
}
