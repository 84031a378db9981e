export type Cell = string | number | boolean | null | undefined;
export type Columns<T> = [title: string, cell: (row: T) => Cell][];

/** Rows as a table of text, `-` where there is nothing. What came from outside cannot move the cursor of a terminal. */
export function table<T>(columns: Columns<T>, rows: T[]): string {
  const lines = [columns.map(([title]) => title), ...rows.map((row) => columns.map(([, cell]) => shown(cell(row))))];
  const widths = columns.map((_column, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Named values below each other. */
export function list(values: [name: string, value: Cell][]): string {
  const width = Math.max(...values.map(([name]) => name.length));
  return values.map(([name, value]) => `${name.padEnd(width)}  ${shown(value)}`).join('\n');
}

/** A line for each node that did not answer. */
export function silentLines(nodes: string[], what: string): string[] {
  return nodes.map((node) => `! ${node} did not answer; ${what}`);
}

/** Seconds, to be read at a glance. */
export function age(seconds: number | null): string | null {
  if (seconds === null) return null;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

function shown(cell: Cell): string {
  // eslint-disable-next-line no-control-regex -- these are what must not get through
  return String(cell ?? '-').replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');
}
