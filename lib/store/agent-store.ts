import { chmodSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { open, type Database, type RootDatabase } from 'lmdb';
import { ConfigError } from '../config/config-error';
import { FinalError } from '../errors';
import { DirectoryLock } from './directory-lock';
import { DiskState, type DiskListener } from './disk-state';
import { Headroom } from './headroom';
import { storageFailed } from './storage-error';

/** Sorted by lmdb: numbers before texts, element by element. */
export type StoreKey = string | number | (string | number)[];

/** One thing to be put; without a value, to be removed. */
export interface Change {
  database: string;
  key: StoreKey;
  value?: unknown;
}

/** What to read: from `start` (with it) to `end` (without it), at most `limit`. With `reverse`, start is the higher. */
export interface Range {
  start?: StoreKey;
  end?: StoreKey;
  limit?: number;
  reverse?: boolean;
}

/** One named database; values are JSON. Reads see what was committed. */
export interface AgentDatabase<V> {
  get(key: StoreKey): V | undefined;
  /** Resolves when committed; throws as `AgentStore.write`. */
  put(key: StoreKey, value: V): Promise<void>;
  /** The same. */
  remove(key: StoreKey): Promise<void>;
  range(range?: Range): { key: StoreKey; value: V }[];
  /** How many entries there are; costs the same for few and many. */
  count(): number;
}

type Encoded = Omit<Change, 'value'> & { bytes?: Buffer };

interface Write {
  changes: Encoded[];
  resolve: () => void;
  reject: (error: unknown) => void;
}

const FILE = 'data.mdb';
const META = 'meta';
const OWNER = 'owner';
const PROBE = 'probe';
const MAX_DATABASES = 16;
/** lmdb takes 1978 bytes; a character is three at the most. */
const LONGEST_KEY = 500;
/** What goes into one transaction at the most, so that none keeps the next waiting for long. */
const GROUP_CHANGES = 256;
const GROUP_BYTES = 4 * 1024 * 1024;
/** Pages of the tree that a change may copy, bytes. */
const BYTES_PER_CHANGE = 16 * 1024;
const PAGE_BYTES = 4096;
const CAUSE_LIMIT_MS = 1000;

/**
 * What an agent must not forget when its process ends: named databases in one lmdb environment, used by one process at
 * a time. A write resolves when it is committed and then survives the end of the process by whatever means; the end of
 * the machine it survives from `flushed()` on.
 */
export class AgentStore {
  private readonly databases = new Map<string, Database<Buffer, StoreKey>>();
  private readonly waiting: Write[] = [];
  private writing: Promise<void> | undefined;
  private flushing: Promise<void> | undefined;
  private nextFlush: Promise<void> | undefined;
  private closed = false;
  private lock: DirectoryLock | undefined;
  private readonly disk: DiskState;

  private constructor(
    private readonly root: RootDatabase<Buffer, StoreKey>,
    private readonly headroom: Headroom,
    told: DiskListener,
  ) {
    this.disk = new DiskState((bytes) => this.probe(bytes), told);
  }

  /**
   * Opens the store of an agent below a directory that several may share. `told` hears when the disk begins and ceases
   * to refuse writes. Throws ConfigError AGENT_DATA_DIR when it cannot be made, read or written, or another process has it.
   */
  static async open(dataDir: string, agentId: string, told: DiskListener = () => undefined): Promise<AgentStore> {
    const dir = path.join(dataDir, agentId.toLowerCase());
    const opened = { store: undefined as AgentStore | undefined };
    try {
      mkdirSync(dir, { recursive: true, mode: 0o700 });
      const store = (opened.store = AgentStore.openFiles(dir, told));
      store.lock = await DirectoryLock.take(dir, store.ownerRecord());
    } catch (error) {
      await opened.store?.close();
      const why = error instanceof Error ? error.message : String(error);
      throw new ConfigError('AGENT_DATA_DIR', `a directory that this process can write to (${oneLine(why)})`, {
        text: dir,
      });
    }
    if (opened.store.lock) return opened.store;
    await opened.store.close();
    throw new ConfigError('AGENT_DATA_DIR', 'a directory that no other process with this AGENT_ID uses', { text: dir });
  }

  private static openFiles(dir: string, told: DiskListener): AgentStore {
    const root = open<Buffer, StoreKey>({
      path: dir,
      encoding: 'binary',
      maxDbs: MAX_DATABASES,
      eventTurnBatching: false, // groups are made here; lmdb-js leaves an unhandled rejection when one of its own fails
    });
    for (const file of [FILE, 'lock.mdb']) chmodSync(path.join(dir, file), 0o600);
    return new AgentStore(root, new Headroom(path.join(dir, FILE)), told);
  }

  /** False from a write that the disk refused until it has room for as much, which is found out within seconds. */
  get writable(): boolean {
    return this.disk.writable;
  }

  /** The database of that name, made when there is none. Throws RetryableError STORAGE_FAILED. */
  database<V>(name: string): AgentDatabase<V> {
    const db = this.named(name);
    return {
      get: (key) => decoded<V>(db.get(key)),
      put: (key, value) => this.write([{ database: name, key, value }]),
      remove: (key) => this.write([{ database: name, key }]),
      range: (range = {}) => [...db.getRange(range)].map(({ key, value }) => ({ key, value: decoded<V>(value) as V })),
      count: () => (db.getStats() as { entryCount: number }).entryCount,
    };
  }

  /**
   * Makes all of the changes or none. What is asked for first is done first. Throws RetryableError STORAGE_FAILED when
   * the disk does not take them, or, as reads then show, took them and could not sync them; the store works again as
   * soon as the disk does.
   */
  async write(changes: Change[]): Promise<void> {
    if (this.closed) throw closedError();
    const encoded = changes.map(encode);
    for (const { database } of encoded) this.named(database);
    const written = new Promise<void>((resolve, reject) => this.waiting.push({ changes: encoded, resolve, reject }));
    this.writing ??= this.writeAll().finally(() => (this.writing = undefined));
    await written;
  }

  /** Resolves when all that was committed before the call is on the disk. Throws RetryableError STORAGE_FAILED. */
  flushed(): Promise<void> {
    if (!this.flushing) return (this.flushing = this.flush().finally(() => (this.flushing = undefined)));
    // The one under way may have begun before the last commit.
    this.nextFlush ??= this.flushing
      .catch(() => undefined) // whoever asked for it hears of it
      .then(() => {
        this.nextFlush = undefined;
        return this.flushed();
      });
    return this.nextFlush;
  }

  /** Ends after all writes asked for, and gives the directory free. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.disk.stop();
    await this.writing;
    await this.flushing?.catch(() => undefined); // whoever asked for it hears of it
    await this.root.close();
    this.headroom.close();
    await this.lock?.release();
  }

  private named(name: string): Database<Buffer, StoreKey> {
    const known = this.databases.get(name);
    if (known) return known;
    try {
      this.headroom.ensure(this.used, BYTES_PER_CHANGE);
      const db = this.root.openDB<Buffer, StoreKey>(name, { encoding: 'binary' });
      this.databases.set(name, db);
      return db;
    } catch (error) {
      throw storageFailed(error);
    }
  }

  /** What of the file is in use, bytes; behind it nothing is lmdb's. */
  private get used(): number {
    const { lastPageNumber, pageSize } = this.root.getStats() as { lastPageNumber: number; pageSize: number };
    return (lastPageNumber + 1) * pageSize;
  }

  /** One transaction after the other, each with all that has gathered meanwhile. */
  private async writeAll(): Promise<void> {
    await nextTurn();
    while (this.waiting.length > 0) {
      const group = this.nextGroup();
      const changes = group.flatMap((write) => write.changes);
      try {
        await this.commit(changes);
        for (const { resolve } of group) resolve();
      } catch (error) {
        const failure = storageFailed(await causeOf(error));
        this.root.resetReadTxn(); // lmdb syncs after the commit: who was refused may look what is there all the same
        this.disk.refused(sizeOf(changes), failure);
        for (const { reject } of group) reject(failure);
      }
    }
  }

  private nextGroup(): Write[] {
    let [count, bytes] = [0, 0];
    const end = this.waiting.findIndex(({ changes }, index) => {
      count += changes.length;
      bytes += sizeOf(changes);
      return index > 0 && (count > GROUP_CHANGES || bytes > GROUP_BYTES);
    });
    return this.waiting.splice(0, end < 0 ? this.waiting.length : end);
  }

  private async commit(changes: Encoded[]): Promise<void> {
    this.headroom.ensure(this.used, sizeOf(changes));
    await this.root.batch(() => {
      for (const { database, key, bytes } of changes) {
        const db = this.named(database);
        if (bytes) void db.put(key, bytes);
        else void db.remove(key);
      }
    });
  }

  /** Writes next to nothing where there is room for so many bytes; else throws. */
  private async probe(bytes: number): Promise<void> {
    await this.writing; // nobody may write to the file meanwhile; the next transaction begins a turn later
    if (this.closed) throw closedError();
    this.headroom.ensure(this.used, bytes);
    await this.write([{ database: META, key: PROBE, value: Date.now() }]);
  }

  private flush(): Promise<void> {
    const sync = this.root as unknown as { sync(done: (error?: unknown) => void): void };
    return new Promise((resolve, reject) => sync.sync((error) => (error ? reject(storageFailed(error)) : resolve())));
  }

  private ownerRecord() {
    const meta = this.named(META);
    const read = () => decoded<string>(meta.get(OWNER));
    const replace = (expected: string | undefined, mine: string) =>
      this.root.transactionSync(() => {
        if (read() !== expected) return false;
        this.headroom.ensure(this.used, BYTES_PER_CHANGE);
        meta.putSync(OWNER, Buffer.from(JSON.stringify(mine)));
        return true;
      });
    return { read, replace };
  }
}

function encode({ database, key, value }: Change): Encoded {
  const length = [key].flat().reduce<number>((sum, part) => sum + String(part).length + 8, 0);
  if (length > LONGEST_KEY) throw new FinalError('STORE_KEY_INVALID', `A key has more than ${LONGEST_KEY} characters`);
  return { database, key, ...(value !== undefined && { bytes: Buffer.from(JSON.stringify(value)) }) };
}

const decoded = <V>(bytes: Buffer | undefined) => (bytes ? (JSON.parse(bytes.toString()) as V) : undefined);

const sizeOf = (changes: Encoded[]) =>
  changes.reduce((sum, { bytes }) => sum + (bytes?.length ?? 0) + PAGE_BYTES + BYTES_PER_CHANGE, 0);

/** lmdb-js says why in a promise of its own, which nobody else listens to. */
function causeOf(error: unknown): unknown {
  const { commitError } = error as { commitError?: Promise<never> };
  // It settles right after the transaction; should it ever not, nobody may wait for it.
  const late = delay(CAUSE_LIMIT_MS, error, { ref: false });
  return commitError ? Promise.race([commitError.catch((cause: unknown) => cause), late]) : error;
}

const closedError = () => storageFailed(new Error('the store is closed'));

const oneLine = (text: string) => text.replace(/\s+/g, ' ');
