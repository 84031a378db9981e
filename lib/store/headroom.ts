import { closeSync, fstatSync, openSync, writeSync } from 'node:fs';

/** What the file is extended by at the least, bytes. */
const STEP = 2 * 1024 * 1024;
/** What is kept free beside what a transaction is known to need, bytes. */
const RESERVE = 512 * 1024;
const PAGE = Buffer.alloc(4096);
const BLOCK = Buffer.alloc(256 * 1024);

/**
 * Room at the end of a database file, really allocated, so that a full disk is met here and not inside lmdb: a write
 * that fails there is reported through a buffer of 100 bytes that the text may overrun (`mdb_page_flush` in lmdb-js
 * 3.5.6), and the process aborts.
 */
export class Headroom {
  private readonly fd: number;

  constructor(file: string) {
    this.fd = openSync(file, 'r+');
  }

  /**
   * Makes sure of `bytes` more behind the first `used` bytes of the file. Throws what the system says: ENOSPC, EDQUOT,
   * EFBIG, EIO. Nobody may write to the file meanwhile.
   */
  ensure(used: number, bytes: number): void {
    const { size } = fstatSync(this.fd);
    const wanted = used + bytes + RESERVE;
    if (size < wanted) this.extend(size, Math.max(wanted, size + STEP));
    // The limit of the process or a file system that never writes in place may have changed since the file was extended.
    else writeSync(this.fd, PAGE, 0, PAGE.length, size - PAGE.length);
  }

  close(): void {
    closeSync(this.fd);
  }

  private extend(from: number, to: number): void {
    for (let at = from; at < to;) at += writeSync(this.fd, BLOCK, 0, Math.min(BLOCK.length, to - at), at);
  }
}
