/** Node.js' own is 8 KiB: the bodies and frames of four messages. */
const POOL_BYTES = 32 * 1024;

/**
 * Has small buffers cut out of larger slabs (Node.js, `Buffer.poolSize`): a slab of its own for every few messages costs a
 * busy node some twelfth of its time. A slab lives as long as the longest-lived buffer in it: one message that waits for
 * an agent that does not answer may keep a slab that it shared with messages long gone, so that it is no larger.
 */
export function enlargeBufferPool(): void {
  Buffer.poolSize = POOL_BYTES;
}
