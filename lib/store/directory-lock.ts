import { randomUUID } from 'node:crypto';
import { closeSync, openSync, rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import path from 'node:path';

/** Where the name of the owner's socket is kept; both operations are atomic between processes. */
export interface OwnerRecord {
  read(): string | undefined;
  /** Puts `mine` in the place of `expected`; false when another name has been put there meanwhile. */
  replace(expected: string | undefined, mine: string): boolean;
}

/** Longer ones do not fit into `sun_path` (unix(7): 108 bytes) and would be cut. */
const LONGEST_PATH = 100;

/**
 * One process at a time may use a directory. The owner listens on a socket in it: the kernel stops answering for a
 * process that was killed, whatever was left behind, so nobody has to judge the age of a lock or the number of a process.
 */
export class DirectoryLock {
  private readonly socket = `${randomUUID()}.sock`;
  private readonly server: Server = createServer((peer) => peer.destroy());
  private handle: number | undefined;

  private constructor(private readonly dir: string) {}

  /** Undefined when a living process has the directory. Throws what the system says when no socket can be made in it. */
  static async take(dir: string, record: OwnerRecord): Promise<DirectoryLock | undefined> {
    const lock = new DirectoryLock(dir);
    await lock.listen();
    for (;;) {
      const owner = record.read();
      if (owner !== undefined && (await lock.answers(owner))) {
        await lock.release();
        return undefined;
      }
      // Listening before being named: whoever reads the name finds somebody behind it.
      if (!record.replace(owner, lock.socket)) continue;
      if (owner !== undefined) rmSync(path.join(dir, owner), { force: true });
      return lock;
    }
  }

  /** The name stays in the record with nobody behind it, as after a crash. */
  async release(): Promise<void> {
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
    if (this.handle !== undefined) closeSync(this.handle);
    rmSync(path.join(this.dir, this.socket), { force: true });
  }

  private listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(this.pathOf(this.socket), resolve).unref();
    });
  }

  private answers(socket: string): Promise<boolean> {
    return new Promise((resolve) => {
      const peer = connect(this.pathOf(socket));
      peer.once('connect', () => resolve(true));
      // Anything else, such as a full backlog or missing rights, is somebody who lives.
      peer.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT'));
      peer.once('close', () => peer.destroy());
    });
  }

  private pathOf(socket: string): string {
    const full = path.join(this.dir, socket);
    if (Buffer.byteLength(full) <= LONGEST_PATH) return full;
    this.handle ??= openSync(this.dir, 'r');
    return `/proc/self/fd/${this.handle}/${socket}`;
  }
}
