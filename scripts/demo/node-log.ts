import { readFileSync } from 'node:fs';

/** A line of a node's log; what an event says of itself stands beside these. */
export interface LogEntry {
  /** ISO 8601. */
  time: string;
  level: string;
  module?: string;
  message: string;
  event?: string;
  messageId?: string;
  [field: string]: unknown;
}

/** Everything in a log that is an entry; other output is passed over. */
export function readEntries(file: string): LogEntry[] {
  return readLines(file).flatMap((line) => parse(line) ?? []);
}

/** The last lines of a log as a person reads them: nothing that is for debugging only, nothing twice. */
export function readTail(file: string, lines: number): string {
  const latest = new Map<string, string>();
  for (const line of readLines(file)) {
    const entry = parse(line);
    if (entry?.level === 'debug') continue;
    const what = entry ? `${entry.level} ${entry.module}: ${entry.message}` : line;
    latest.delete(what); // it moves to the end
    latest.set(what, entry ? `${entry.time.slice(11)} ${what}` : what);
  }
  return [...latest.values()].join('\n').split('\n').slice(-lines).join('\n');
}

function readLines(file: string): string[] {
  return readFileSync(file, 'utf8').split('\n').filter(Boolean);
}

function parse(line: string): LogEntry | undefined {
  try {
    return line.startsWith('{') ? (JSON.parse(line) as LogEntry) : undefined;
  } catch {
    return undefined; // being written just now, or no entry at all
  }
}
