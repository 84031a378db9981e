/** A metric of prom-client, as far as we look into it: release 11 cannot remove a series yet. */
export interface Metric {
  labelNames: string[];
  hashMap: Record<string, { labels: Record<string, unknown> }>;
  reset(): void;
}

/** Takes away every series of these agents. */
export function forgetAgents(metrics: Record<string, Metric>, agents: ReadonlySet<string>): void {
  for (const { labelNames, hashMap } of Object.values(metrics)) {
    if (!labelNames.includes('agent')) continue;
    for (const [hash, { labels }] of Object.entries(hashMap)) {
      if (agents.has(String(labels.agent))) delete hashMap[hash];
    }
  }
}

/**
 * A gauge without labels begins as 0, which says something wrong on a node whose services never set it: it begins
 * without a value instead.
 */
export function forgetDefaults(metrics: Record<string, Metric>): void {
  for (const metric of Object.values(metrics)) {
    if (metric.constructor.name === 'Gauge') metric.hashMap = {};
  }
}
