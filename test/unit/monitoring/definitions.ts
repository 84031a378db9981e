import type { Definitions } from '../../../lib/telemetry/definitions';
import type { Selector } from '../../helpers/promql';

/** Labels that Prometheus adds. */
const ADDED = ['job', 'instance', 'le'];

/** What of the selectors is ours by its name and not as these definitions have it: an unknown metric or label. */
export function unknownIn(selectors: Selector[], definitions: Definitions): string[] {
  return selectors
    .filter(({ metric }) => metric.startsWith('dmr_'))
    .flatMap(({ metric, labels }) => {
      const definition = definitions[metric] ?? definitions[metric.replace(/_(bucket|sum|count)$/, '')];
      if (!definition || (definition.type === 'Histogram') === metric in definitions) return [metric];
      const known = [...ADDED, ...(definition.labelNames ?? [])];
      return labels.filter((label) => !known.includes(label)).map((label) => `${metric}{${label}}`);
    });
}
