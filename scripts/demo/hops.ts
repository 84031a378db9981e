import type { FleetEntry } from './fleet';

/** One thing that happened to a message on its way. */
export interface Hop {
  /** ms since the epoch. */
  at: number;
  who: string;
  what: string;
}

type Names = { from: string; to: string };

/** What the events of a way without trouble mean, in the order in which they happen. */
const MEANING: Record<string, (names: Names, entry: FleetEntry) => string> = {
  answering: () => 'hands its answer to its agent: POST /v1/messages',
  sealed: ({ from, to }) => `signs it as the ${from} and encrypts it for the ${to} alone`,
  accepted: ({ to }) => `puts it into the quorum queue of the ${to}; RabbitMQ confirms`,
  taken: () => 'has the word of the server and answers its chatbot with 200',
  sent: ({ to }, { attempt }) => `sends it down to the ${to} agent${attempt === 1 ? '' : `, try ${String(attempt)}`}`,
  opened: ({ from }) => `decrypts it and checks the signature of the ${from}`,
  received: () => 'takes it',
  'handed-over': () => 'tells the server that its chatbot has it',
  delivered: () => 'takes it off the queue',
};
const ORDER = Object.keys(MEANING);

/** The way of a message as its log entries tell it, in order of time; an event that nobody expects speaks for itself. */
export function hopsOf(entries: FleetEntry[], names: Names): Hop[] {
  const rank = ({ event }: FleetEntry) => ORDER.indexOf(event ?? '');
  return entries
    .toSorted((a, b) => Date.parse(a.time) - Date.parse(b.time) || rank(a) - rank(b))
    .map((entry) => ({
      at: Date.parse(entry.time),
      who: entry.title,
      what: MEANING[entry.event ?? '']?.(names, entry) ?? inItsOwnWords(entry),
    }));
}

/** Hops as aligned lines, with the time since `startedAt`. */
export function hopLines(hops: Hop[], startedAt: number): string {
  const width = Math.max(...hops.map(({ who }) => who.length));
  return hops
    .map(({ at, who, what }) => `  ${String(at - startedAt).padStart(5)} ms  ${who.padEnd(width)}  ${what}`)
    .join('\n');
}

function inItsOwnWords({ message, why, code, types, reason }: FleetEntry): string {
  const detail = [why, code, types, reason].find((field) => field !== undefined);
  return detail === undefined ? message : `${message}: ${JSON.stringify(detail)}`;
}
