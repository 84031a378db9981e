import { isDeepStrictEqual } from 'node:util';
import type { Labels } from './metrics';
import type { Tally } from './tally';

/**
 * A metric of prom-client, as far as we look into it: release 11 cannot remove a series yet, and a histogram takes one
 * value at a time.
 */
export interface Metric {
  labelNames: string[];
  hashMap: Record<string, { labels: Record<string, unknown> }>;
  reset(): void;
}

interface Histogram extends Metric {
  /** Upper bounds, rising. */
  upperBounds: readonly number[];
  hashMap: Record<string, { labels: Labels; bucketValues: Record<number, number>; sum: number; count: number }>;
  observe(labels: Labels, value: number): void;
}

const NO_LABELS = {};

/** The upper bounds of a histogram; undefined for any other metric. */
export function boundsOf(metric: Metric | undefined): readonly number[] | undefined {
  return (metric as Histogram | undefined)?.upperBounds;
}

/** Adds all values of a tally to one series of a histogram. Throws on labels that the histogram does not have. */
export function addTally(metric: Metric | undefined, tally: Tally, labels: Labels = NO_LABELS): void {
  const histogram = metric as Histogram;
  histogram.observe(labels, 0); // the library checks the labels and makes the series; the value is taken back here
  const series = Object.values(histogram.hashMap).find((one) => isDeepStrictEqual(one.labels, labels));
  if (!series) throw new Error('another series has these labels in other forms');
  series.sum += tally.sum;
  series.count += tally.count - 1;
  tally.bounds.forEach((bound, i) => {
    const [before, more] = [series.bucketValues[bound] ?? 0, tally.counts[i] ?? 0];
    series.bucketValues[bound] = before + more - (i === 0 ? 1 : 0);
  });
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
