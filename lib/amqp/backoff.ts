/**
 * Wait before the try after `failed` failures, ms: `base` doubled with each failure up to `max`.
 * With jitter it is drawn from the upper half of that, so that many clients do not come back at the same moment.
 */
export function backoffMs(failed: number, base: number, max: number, jitter = true): number {
  const full = Math.min(max, base * 2 ** Math.min(failed - 1, 30));
  return jitter ? Math.round(full / 2 + Math.random() * (full / 2)) : full;
}
