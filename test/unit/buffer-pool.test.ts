import { enlargeBufferPool } from '../../lib/buffer-pool';

it('has the bodies of many messages lie in one slab', () => {
  const before = Buffer.poolSize;
  try {
    enlargeBufferPool();
    const bodies = Array.from({ length: 100 }, () => Buffer.from('x'.repeat(2000)));
    // The slab in use, and the larger ones behind it.
    expect(new Set(bodies.map(({ buffer }) => buffer)).size).toBeLessThanOrEqual(8);
  } finally {
    Buffer.poolSize = before;
  }
});
