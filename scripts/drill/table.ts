import type { Ledger, Sums } from './ledger';

/** One line of the drill's table. */
export interface Row {
  fault: string;
  /** From the end of the fault until every pair of agents had a new message through, ms; undefined: not within the limit. */
  recoveryMs: number | undefined;
}

/** Nothing lost, nothing twice, and after every fault the mesh came back by itself. */
export function passed(rows: Row[], { lost, twice }: Pick<Sums, 'lost' | 'twice'>): boolean {
  return lost === 0 && twice === 0 && rows.every(({ recoveryMs }) => recoveryMs !== undefined);
}

const HEAD = [
  'fault',
  'messages',
  'accepted',
  'delivered',
  'lost',
  'twice',
  'dead-lettered',
  'recovered in',
  'repeats',
  'errors',
];

/** The table as Markdown, with a last line for all. */
export function table(rows: Row[], ledger: Ledger): string {
  const lines = rows.map(({ fault, recoveryMs }) => cells(fault, ledger.sums(fault), recovery(recoveryMs)));
  lines.push(cells('**all**', ledger.sums(), recovery(slowest(rows))));
  const widths = HEAD.map((title, i) => Math.max(title.length, ...lines.map((line) => (line[i] ?? '').length)));
  const row = (line: string[]) => `| ${line.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  return [row(HEAD), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...lines.map(row)].join('\n');
}

/** One line for a person who watches. */
export function progressLine({ fault, recoveryMs }: Row, sums: Sums): string {
  const { posted, accepted, delivered, twice, outOfOrder } = sums;
  const counts = `${posted} posted, ${accepted} accepted, ${delivered} delivered, ${twice} twice, ${outOfOrder} out of order`;
  return `  ${fault.padEnd(20)} ${counts}, recovered in ${recovery(recoveryMs)}`;
}

function cells(fault: string, sums: Sums, recovered: string): string[] {
  const put = [...sums.putAway].map(([where, count]) => `${count} (${where})`).join(', ') || '0';
  const { posted, accepted, delivered, lost, twice, repeated, errors } = sums;
  return [
    fault,
    ...[posted, accepted, delivered, lost, twice].map(String),
    put,
    recovered,
    String(repeated),
    String(errors),
  ];
}

function recovery(ms: number | undefined): string {
  return ms === undefined ? 'not in time' : `${(ms / 1000).toFixed(1)} s`;
}

function slowest(rows: Row[]): number | undefined {
  const all = rows.map(({ recoveryMs }) => recoveryMs);
  return all.includes(undefined) ? undefined : Math.max(0, ...(all as number[]));
}
