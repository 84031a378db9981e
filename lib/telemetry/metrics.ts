export type Labels = Readonly<Record<string, string>>;
type Method = 'inc' | 'set' | 'observe';
type Update = (name: string, method: Method, labels: Labels | undefined, value: number) => void;

/** What else the holder of all series must be able to do. */
export interface Series {
  /** Takes away every series of a metric. */
  clear(name: string): void;
  /** Takes away every series of these agents. */
  forget(agents: ReadonlySet<string>): void;
  /** Hears what went wrong, once for each metric. */
  failed(name: string, error: unknown): void;
}

/** What is counted before the collector is there is kept for it, up to this many updates. */
const MAX_PENDING = 1000;

/**
 * Where code counts; counting never throws. A node without a metrics service pays next to nothing. The label `agent`
 * holds listed agents only (see `listAgents`): an update for anybody else is dropped.
 */
export class Metrics {
  private update: Update | undefined;
  private series: Series | undefined;
  private pending: Parameters<Update>[] = [];
  /** Listed agents, each with the one object that its updates share. */
  private agents = new Map<string, Labels>();
  /** Each with what is said of it when it fails. */
  private readonly collectors = new Map<() => void, string>();
  private readonly failures = new Set<string>();

  attach(update: Update, series?: Series): void {
    this.update = update;
    this.series = series;
    for (const args of this.pending) this.record(...args);
    this.pending = [];
  }

  detach(): void {
    this.update = undefined;
    this.series = undefined;
  }

  inc(name: string, labels?: Labels, by = 1): void {
    this.record(name, 'inc', labels, by);
  }

  /** Counts for one agent, with `more` labels beside it. */
  incFor(agentId: string, name: string, more?: Labels): void {
    const agent = this.agents.get(agentId);
    if (agent) this.record(name, 'inc', more ? { ...agent, ...more } : agent, 1);
  }

  set(name: string, value: number, labels?: Labels): void {
    this.record(name, 'set', labels, value);
  }

  /** All that a gauge has to say: series that are not among these go. */
  replace(name: string, values: Iterable<readonly [Labels, number]>): void {
    this.guarded(name, () => this.series?.clear(name));
    for (const [labels, value] of values) this.record(name, 'set', labels, value);
  }

  /** A duration, in seconds. */
  observe(name: string, seconds: number, labels?: Labels): void {
    this.record(name, 'observe', labels, seconds);
  }

  /**
   * Has gauges set each time the metrics are read: what is true of one moment only need not be kept up to date all the
   * time. `what` names them in the log should they fail. Returns what takes the collector out again.
   */
  collect(what: string, collector: () => void): () => void {
    this.collectors.set(collector, what);
    return () => void this.collectors.delete(collector);
  }

  /** To be called as the metrics are read. */
  read(): void {
    for (const [collector, what] of this.collectors) this.guarded(what, collector);
  }

  /** Who may stand in the label `agent` from now on; the series of everybody else go. */
  listAgents(ids: Iterable<string>): void {
    const before = this.agents;
    this.agents = new Map();
    for (const id of ids) this.agents.set(id, before.get(id) ?? { agent: id });
    const gone = new Set([...before.keys()].filter((id) => !this.agents.has(id)));
    if (gone.size > 0) this.guarded('of agents that left', () => this.series?.forget(gone));
  }

  private record(name: string, method: Method, labels: Labels | undefined, value: number): void {
    if (labels?.agent !== undefined && !this.agents.has(labels.agent)) return;
    if (!this.update) {
      if (this.pending.length < MAX_PENDING) this.pending.push([name, method, labels, value]);
      return;
    }
    try {
      this.update(name, method, labels, value);
    } catch (error) {
      this.failed(name, error); // a wrong label is a mistake in our code, and no message may pay for it
    }
  }

  private guarded(what: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.failed(what, error);
    }
  }

  private failed(what: string, error: unknown): void {
    if (this.failures.has(what)) return;
    this.failures.add(what);
    this.series?.failed(what, error);
  }
}

/** Seconds since `startedAt` (of `performance.now()`). */
export function secondsSince(startedAt: number): number {
  return (performance.now() - startedAt) / 1000;
}
