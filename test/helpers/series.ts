import type { Series } from '../../lib/telemetry/metrics';

/** A holder of series that does nothing but what it is given. */
export function seriesWith(own: Partial<Series> = {}): Series {
  const nothing = () => undefined;
  return { clear: nothing, bounds: nothing, add: nothing, forget: nothing, failed: nothing, ...own };
}
