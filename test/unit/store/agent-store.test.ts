import { execFileSync, fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { AgentStore } from '../../../lib/store/agent-store';
import { eventually } from '../../helpers/eventually';
import { temporaryFolder } from '../../helpers/temporary-folder';
import type { Order, Report } from './store-process';

const ID = '4f0e8c1a-3b52-4c7e-9d11-6a5b8f2d7c01';

async function withStore<T>(dir: string, work: (store: AgentStore) => T | Promise<T>): Promise<T> {
  const store = await AgentStore.open(dir, ID);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

test('what was put is there after the store was closed and opened again; what was removed is not', async () => {
  const dir = temporaryFolder();
  await withStore(dir, async (store) => {
    const db = store.database<{ n: number }>('numbers');
    await Promise.all([1, 2, 3].map((n) => db.put(['n', n], { n })));
    await db.remove(['n', 2]);
    expect(db.get(['n', 1])).toEqual({ n: 1 });
  });
  await withStore(dir, (store) => {
    const db = store.database<{ n: number }>('numbers');
    expect(db.count()).toBe(2);
    expect(db.get(['n', 2])).toBeUndefined();
    expect(db.range()).toEqual([
      { key: ['n', 1], value: { n: 1 } },
      { key: ['n', 3], value: { n: 3 } },
    ]);
    expect(db.range({ start: ['n', 2], limit: 1 })).toEqual([{ key: ['n', 3], value: { n: 3 } }]);
    expect(db.range({ end: ['n', 3] })).toHaveLength(1);
  });
});

test('several changes of several databases are made together, and flushed', async () => {
  await withStore(temporaryFolder(), async (store) => {
    await store.write([
      { database: 'a', key: 'k', value: 1 },
      { database: 'b', key: 'k', value: 2 },
    ]);
    await Promise.all([store.flushed(), store.flushed(), store.flushed()]);
    expect([store.database('a').get('k'), store.database('b').get('k')]).toEqual([1, 2]);
  });
});

test('only its owner can read what an agent keeps', async () => {
  const dir = temporaryFolder();
  await withStore(dir, async (store) => {
    await store.database('a').put('k', 1);
    expect(statSync(path.join(dir, ID)).mode & 0o777).toBe(0o700);
    for (const file of ['data.mdb', 'lock.mdb']) expect(statSync(path.join(dir, ID, file)).mode & 0o777).toBe(0o600);
  });
  expect(readdirSync(path.join(dir, ID)).sort()).toEqual(['data.mdb', 'lock.mdb']);
});

test('two agents may share the folder, one agent may not run twice', async () => {
  const dir = temporaryFolder();
  await withStore(dir, async () => {
    await expect(AgentStore.open(dir, ID)).rejects.toThrow(
      /^AGENT_DATA_DIR: wants a directory that no other process with this AGENT_ID uses, got ".*$/,
    );
    const other = await AgentStore.open(dir, ID.replace('4f', '5f'));
    await other.close();
  });
  await withStore(dir, () => undefined);
});

test('of many that start at once, exactly one gets the store', async () => {
  const dir = temporaryFolder();
  await withStore(dir, () => undefined); // so that all of them find an owner who is gone
  const starts = await Promise.allSettled(Array.from({ length: 8 }, () => AgentStore.open(dir, ID)));
  const stores = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []));
  expect(stores).toHaveLength(1);
  await stores[0]?.close();
});

test('a folder with a very long name works as well', async () => {
  const dir = path.join(temporaryFolder(), 'x'.repeat(120));
  await withStore(dir, async (store) => {
    await store.database('a').put('k', 1);
    await expect(AgentStore.open(dir, ID)).rejects.toThrow('AGENT_DATA_DIR');
    const other = await AgentStore.open(dir, ID.replace('4f', '5f'));
    await other.close();
  });
});

test('a folder that cannot be used ends the start with one line that names the variable', async () => {
  const file = path.join(temporaryFolder(), 'file');
  writeFileSync(file, '');
  await expect(AgentStore.open(file, ID)).rejects.toThrow(/^AGENT_DATA_DIR: wants .*ENOTDIR.*$/);
});

/** A store in a process of its own. */
async function startProcess(dir: string) {
  const child = fork(path.join(__dirname, 'store-process.ts'), [dir, ID], {
    execArgv: ['--import', 'tsx'],
    silent: true,
  });
  children.push(child);
  const said = { text: '' };
  child.stderr?.on('data', (data: Buffer) => (said.text += data.toString()));
  await once(child, 'message');
  return {
    said,
    async tell(order: Order): Promise<Report> {
      child.send(order);
      return ((await once(child, 'message')) as [Report])[0];
    },
    /** The longest file it may write, bytes; a file system without room answers in the same places. */
    limitFiles: (bytes: number | 'unlimited') =>
      execFileSync('prlimit', ['--pid', String(child.pid), `--fsize=${bytes}:`]),
    async kill() {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

const children: ChildProcess[] = [];

afterEach(() => children.splice(0).forEach((child) => child.kill('SIGKILL')));

test('after kill -9 everything committed is there and the lock is free', async () => {
  const dir = temporaryFolder();
  const process = await startProcess(dir);
  await expect(AgentStore.open(dir, ID)).rejects.toThrow('no other process');
  const { puts } = await process.tell({ do: 'put', from: 0, count: 500, length: 100 });
  expect(puts).toEqual(Array(500).fill(true));
  void process.tell({ do: 'put', from: 500, count: 5000, length: 100 }).catch(() => undefined); // it dies meanwhile
  await process.kill();
  await withStore(dir, async (store) => {
    expect(store.database('texts').count()).toBeGreaterThanOrEqual(500);
    await store.database('texts').put('more', 1);
  });
  expect(readdirSync(path.join(dir, ID)).sort()).toEqual(['data.mdb', 'lock.mdb']);
}, 30_000);

test.each([
  ['where it is', (size: number) => size],
  ['below what the file has', (size: number) => size / 2],
])(
  'a disk that ends %s is an error, and the store works again once there is room',
  async (_title, limit) => {
    const dir = temporaryFolder();
    const process = await startProcess(dir);
    await process.tell({ do: 'put', from: 0, count: 10, length: 100 });
    process.limitFiles(Math.floor(limit(statSync(path.join(dir, ID, 'data.mdb')).size)));
    for (let round = 1; round <= 20; round++) {
      const { puts = [], there } = await process.tell({ do: 'put', from: 100 * round, count: 40, length: 50_000 });
      // What is reported as written is there, what is reported as failed is not.
      expect(there).toEqual(puts.flatMap((put, n) => (put === true ? [100 * round + n] : [])));
      if (round === 20) expect(puts).toEqual(Array(40).fill('STORAGE_FAILED'));
    }
    expect(process.said.text).toBe(''); // lmdb complains there when a write of its own fails, and may abort
    process.limitFiles('unlimited');
    const { puts } = await process.tell({ do: 'put', from: 10_000, count: 40, length: 50_000 });
    expect(puts).toEqual(Array(40).fill(true));
    const { count } = await process.tell({ do: 'count' });
    await process.kill();
    await withStore(dir, (store) => expect(store.database('texts').count()).toBe(count));
  },
  30_000,
);

test('a disk that refuses is told of once, and looked after until it has room for as much', async () => {
  const dir = temporaryFolder();
  const process = await startProcess(dir);
  await process.tell({ do: 'put', from: 0, count: 10, length: 100 });
  expect(await process.tell({ do: 'state' })).toEqual({ writable: true, told: [] });
  const { size } = statSync(path.join(dir, ID, 'data.mdb'));
  process.limitFiles(size);
  const refused = Array(40).fill('STORAGE_FAILED');
  expect(await process.tell({ do: 'put', from: 100, count: 40, length: 50_000 })).toMatchObject({ puts: refused });
  expect(await process.tell({ do: 'put', from: 200, count: 40, length: 50_000 })).toMatchObject({ puts: refused });
  // There is room for little, which says nothing of much.
  expect(await process.tell({ do: 'put', from: 300, count: 1, length: 10 })).toMatchObject({ puts: [true] });
  await delay(6000);
  expect(await process.tell({ do: 'state' })).toEqual({ writable: false, told: ['STORAGE_FAILED'] });
  process.limitFiles('unlimited');
  await eventually(async () => (await process.tell({ do: 'state' })).writable === true);
  expect((await process.tell({ do: 'state' })).told).toEqual(['STORAGE_FAILED', 'room']);
  await process.tell({ do: 'close' });
}, 30_000);

test('a store is closed though its disk refuses', async () => {
  const process = await startProcess(temporaryFolder());
  process.limitFiles(0);
  await process.tell({ do: 'put', from: 0, count: 1, length: 100 });
  await process.tell({ do: 'close' });
  await delay(6000);
  expect(await process.tell({ do: 'state' })).toEqual({ writable: false, told: ['STORAGE_FAILED'] });
}, 30_000);
