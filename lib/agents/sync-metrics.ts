import type { Metrics } from '../telemetry/metrics';

/** What a look at CentOps gave; a label of a metric. */
export type LookResult = 'whole' | 'partial' | 'failed';

const RESULTS: LookResult[] = ['whole', 'partial', 'failed'];

/** Counts the looks at CentOps and says how old the list is, from the start of the node until the first whole one. */
export class SyncMetrics {
  private wholeAt = performance.now();
  private readonly unwatch: () => void;

  constructor(private readonly metrics: Metrics) {
    for (const result of RESULTS) metrics.inc('dmr_centops_looks_total', { result }, 0);
    metrics.set('dmr_centops_whole', 0);
    metrics.set('dmr_centops_suspicious', 0);
    this.unwatch = metrics.collect('of the looks at CentOps', () => {
      metrics.set('dmr_centops_sync_age_seconds', (performance.now() - this.wholeAt) / 1000);
    });
  }

  /** `suspicious`: agents that a whole answer lacks and that only an operator may take away. */
  looked(result: LookResult, suspicious = 0): void {
    this.metrics.inc('dmr_centops_looks_total', { result });
    this.metrics.set('dmr_centops_whole', result === 'whole' ? 1 : 0);
    if (result !== 'whole') return; // it says nothing about who is missing
    this.metrics.set('dmr_centops_suspicious', suspicious);
    this.wholeAt = performance.now();
  }

  stop(): void {
    this.unwatch();
  }
}
