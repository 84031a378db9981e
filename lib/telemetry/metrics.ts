import { Tally } from './tally';

export type Labels = Readonly<Record<string, string>>;
type Method = 'inc' | 'set' | 'observe';
/** By name and by labels. */
type AllSeries<T> = Map<string, Map<Labels | undefined, T>>;
type Update = (name: string, method: Method, labels: Labels | undefined, value: number) => void;

/** What else the holder of all series must be able to do. */
export interface Series {
  /** Takes away every series of a metric. */
  clear(name: string): void;
  /** Upper bounds of a histogram; undefined where there is none of that name. */
  bounds(name: string): readonly number[] | undefined;
  /** Adds to a histogram. Throws on labels that it does not have. */
  add(name: string, labels: Labels | undefined, tally: Tally): void;
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
  private counted: AllSeries<number> = new Map();
  private observed: AllSeries<Tally> = new Map();
  /** Of both. */
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
    const series = this.counted.get(name);
    const before = series?.get(labels);
    if (before !== undefined) return void series?.set(labels, before + by);
    this.makeRoom();
    seriesOf(this.counted, name).set(labels, by);
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

  /** A duration, in seconds; shows as `inc` does, and is dear with labels that are a new object each time. */
  observe(name: string, seconds: number, labels?: Labels): void {
    const tally = this.observed.get(name)?.get(labels) ?? this.newTally(name, labels);
    if (tally && Number.isFinite(seconds)) tally.add(seconds);
    else this.record(name, 'observe', labels, seconds);
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

  /** Undefined while nobody collects, and for what is no histogram. */
  private newTally(name: string, labels: Labels | undefined): Tally | undefined {
    const bounds = this.series?.bounds(name);
    if (!bounds) return undefined;
    this.makeRoom(); // before, as what is flushed hears of no further value
    const tally = new Tally(bounds);
    seriesOf(this.observed, name).set(labels, tally);
    return tally;
  }

  private makeRoom(): void {
    if (this.countedSeries >= MAX_COUNTED) this.flush();
    this.countedSeries += 1;
  }

  private flush(): void {
    const { counted, observed } = this;
    this.counted = new Map();
    this.observed = new Map();
    this.countedSeries = 0;
    for (const [name, series] of counted) for (const [labels, by] of series) this.record(name, 'inc', labels, by);
    for (const [name, series] of observed) {
      for (const [labels, tally] of series) {
        if (this.takes(labels)) this.guarded(name, () => this.series?.add(name, labels, tally));
      }
    }
  }

  private takes(labels: Labels | undefined): boolean {
    return labels?.agent === undefined || this.agents.has(labels.agent);
  }

  private record(name: string, method: Method, labels: Labels | undefined, value: number): void {
    if (!this.takes(labels)) return;
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

function seriesOf<T>(all: AllSeries<T>, name: string): Map<Labels | undefined, T> {
  let series = all.get(name);
  if (!series) all.set(name, (series = new Map<Labels | undefined, T>()));
  return series;
}

/** Seconds since `startedAt` (of `performance.now()`). */
export function secondsSince(startedAt: number): number {
  return (performance.now() - startedAt) / 1000;
}
