const LOOK_EVERY_MS = 500;
/** Silence of this process that others may have taken for its end, ms. */
const GAP_MS = 2000;

/** Calls `wokeUp` after every time that this process stood still: stopped, swapped out, or busy in one turn. */
export function watchGaps(wokeUp: () => void): NodeJS.Timeout {
  let last = performance.now();
  return setInterval(() => {
    const now = performance.now();
    if (now - last > GAP_MS) wokeUp();
    last = now;
  }, LOOK_EVERY_MS).unref();
}
