/** Node.js' own is 8 KiB: the bodies and frames of four messages. */
const POOL_BYTES = 128 * 1024;

/**
 * Has small buffers cut out of larger slabs (Node.js, `Buffer.poolSize`): a slab of its own for every few messages costs a
 * busy node some twelfth of its time. A slab lives as long as the longest-lived buffer in it, so nothing that is kept for
 * long may be a pooled buffer.
 */
export function enlargeBufferPool(): void {
  Buffer.poolSize = POOL_BYTES;
}
