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
/** As many series may have been counted since the last reading: labels that are new each time must not fill the memory. */
const MAX_COUNTED = 1000;

/**
 * Where code counts; counting never throws. A node without a metrics service pays next to nothing. The label `agent`
 * holds listed agents only (see `listAgents`): an update for anybody else is dropped.
 */
export class Metrics {
  private update: Update | undefined;
  private series: Series | undefined;
  private pending: Parameters<Update>[] = [];
  /** Counted since the last reading: the collector takes microseconds for each update, and a message is counted often. */
  private counted = new Map<string, Map<Labels | undefined, number>>();
  private countedSeries = 0;
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
    this.flush();
    this.update = undefined;
    this.series = undefined;
  }

  /** Shows when the metrics are read. Cheap with labels that are the same object each time. */
  inc(name: string, labels?: Labels, by = 1): void {
    if (!this.update) return this.record(name, 'inc', labels, by);
    let series = this.counted.get(name);
    if (!series) this.counted.set(name, (series = new Map<Labels | undefined, number>()));
    const before = series.get(labels);
    series.set(labels, (before ?? 0) + by);
    if (before === undefined && ++this.countedSeries > MAX_COUNTED) this.flush();
  }

  /** Counts for one agent, with `more` labels beside it. */
  incFor(agentId: string, name: string, more?: Labels): void {
    const agent = this.agents.get(agentId);
    if (agent) this.inc(name, more ? { ...agent, ...more } : agent);
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
    this.flush();
    for (const [collector, what] of this.collectors) this.guarded(what, collector);
  }

  /** Who may stand in the label `agent` from now on; the series of everybody else go. */
  listAgents(ids: Iterable<string>): void {
    this.flush();
    const before = this.agents;
    this.agents = new Map();
    for (const id of ids) this.agents.set(id, before.get(id) ?? { agent: id });
    const gone = new Set([...before.keys()].filter((id) => !this.agents.has(id)));
    if (gone.size > 0) this.guarded('of agents that left', () => this.series?.forget(gone));
  }

  private flush(): void {
    const { counted } = this;
    this.counted = new Map();
    this.countedSeries = 0;
    for (const [name, series] of counted) for (const [labels, by] of series) this.record(name, 'inc', labels, by);
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
