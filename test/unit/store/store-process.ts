import { AgentStore } from '../../../lib/store/agent-store';

export type Order =
  { do: 'put'; from: number; count: number; length: number } | { do: 'count' } | { do: 'state' } | { do: 'close' };
/** What became of each put: true, or the code of its error; whether the disk takes writes, and what was told of it. */
export type Report = {
  puts?: (true | string)[];
  there?: number[];
  count?: number;
  writable?: boolean;
  told?: string[];
};

/** A store in a process of its own, which its parent can limit and kill; does what it is told, one after the other. */
async function run(dir = '', id = ''): Promise<void> {
  const told: string[] = [];
  const store = await AgentStore.open(dir, id, (refusal) => told.push(refusal?.code ?? 'room'));
  const db = store.database<string>('texts');
  const obey = async (order: Order): Promise<Report> => {
    if (order.do === 'close') return store.close().then(() => ({}));
    if (order.do === 'state') return { writable: store.writable, told };
    if (order.do === 'count') return { count: db.count() };
    const keys = Array.from({ length: order.count }, (_, n) => order.from + n);
    const puts = await Promise.allSettled(keys.map((key) => db.put(key, 'x'.repeat(order.length))));
    return {
      puts: puts.map((put) => put.status === 'fulfilled' || (put.reason as { code: string }).code),
      there: keys.filter((key) => db.get(key) !== undefined),
    };
  };
  process.on('message', (order: Order) => void obey(order).then((report) => process.send?.(report)));
  process.send?.({});
}

void run(...process.argv.slice(2));
