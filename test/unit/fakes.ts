import type { Publication, Publisher } from '../../lib/amqp/publisher';
import type { Log } from '../../lib/log';
import { Metrics } from '../../lib/telemetry/metrics';

interface LogLine {
  level: keyof Log;
  message: string;
  context: object | undefined;
}

/** A log that writes down what it is told. */
export class RecordingLog implements Log {
  readonly lines: LogLine[] = [];

  readonly error = this.recorder('error');
  readonly warn = this.recorder('warn');
  readonly info = this.recorder('info');
  readonly debug = this.recorder('debug');

  /** The messages of one level. */
  at(level: keyof Log): string[] {
    return this.lines.filter((line) => line.level === level).map(({ message }) => message);
  }

  private recorder(level: keyof Log) {
    return (message: string, context?: object) => void this.lines.push({ level, message, context });
  }
}

/** Metrics that are read after each count. */
class ReadAtOnce extends Metrics {
  override inc(...counted: Parameters<Metrics['inc']>): void {
    super.inc(...counted);
    this.read();
  }
}

/**
 * Metrics together with what was counted: `name{label="value"}` and the sum, or the last value of a gauge; durations are
 * in `observed`. `agents` are listed.
 */
export function countingMetrics(agents: string[] = []) {
  const counted: Record<string, number> = {};
  const observed: Record<string, number[]> = {};
  const metrics = new ReadAtOnce();
  metrics.listAgents(agents);
  metrics.attach((name, method, labels, value) => {
    const inside = Object.entries(labels ?? {}).map(([label, text]) => `${label}="${text}"`);
    const key = inside.length > 0 ? `${name}{${inside.join(',')}}` : name;
    if (method === 'observe') (observed[key] ??= []).push(value);
    else counted[key] = method === 'inc' ? (counted[key] ?? 0) + value : value;
  });
  return { metrics, counted, observed };
}

/** A publisher whose confirms a test can withhold or refuse; otherwise each publication is confirmed at once. */
export class FakePublisher {
  /** Every attempt. */
  readonly attempts: Publication[] = [];
  /** What the broker took. */
  readonly confirmed: Publication[] = [];
  private readonly next: (() => Promise<void>)[] = [];

  get asPublisher(): Publisher {
    return this as unknown as Publisher;
  }

  async publish(publication: Publication): Promise<void> {
    this.attempts.push(publication);
    await this.next.shift()?.();
    this.confirmed.push(publication);
  }

  /** The next publications fail, one with each of these. */
  failNext(...errors: Error[]): void {
    for (const error of errors) this.next.push(() => Promise.reject(error));
  }

  /** The next publication is confirmed when the returned function is called. */
  holdNext(): () => void {
    let confirm: () => void = () => undefined;
    const confirmed = new Promise<void>((resolve) => (confirm = resolve));
    this.next.push(() => confirmed);
    return confirm;
  }

  /** Bodies of what the broker took, parsed. */
  bodies(): unknown[] {
    return this.confirmed.map(({ body }) => JSON.parse(body.toString()) as unknown);
  }
}
