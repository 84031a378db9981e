import type { Message } from 'amqplib';
import { FinalError } from '../errors';
import { reasonOf } from './headers';
import { describeFailure, idOfMessage, timeOfLetter } from './letter';

/** Which messages of a queue are meant: exactly one of ids, a reason, a time window (either end may be open) or all. */
export interface SelectionParams {
  ids?: string[];
  /** Of a dead letter; of a refused message the type of one of its errors. */
  reason?: string;
  /** ISO 8601 with `Z` or an offset; of the dead-lettering, or else of the acceptance. */
  from?: string;
  to?: string;
  all?: boolean;
}

export interface Selection {
  /** For a log line. */
  by: 'ids' | 'reason' | 'time' | 'all';
  matches: (message: Message) => boolean;
}

/** A date, hours and minutes, perhaps more, and the zone: of `10` or `last 10` Date.parse makes a day in 2001. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/;

/** Of dead letters; or of `refused` messages. Throws FinalError SELECTION_MISSING, SELECTION_AMBIGUOUS or SELECTION_INVALID. */
export function selectionOf({ ids, reason, from, to, all }: SelectionParams, refused = false): Selection {
  const meant: Selection[] = [];
  if (ids) meant.push(byId(new Set(ids)));
  if (reason !== undefined) meant.push(byReason(reason, refused));
  if (from !== undefined || to !== undefined) meant.push(byTime(timeOf(from, -Infinity), timeOf(to, Infinity)));
  if (all) meant.push({ by: 'all', matches: () => true });
  const [first, second] = meant;
  if (!first) {
    throw new FinalError('SELECTION_MISSING', 'Say which messages: ids, a reason, from and to, or all of them (all)');
  }
  if (second) {
    throw new FinalError('SELECTION_AMBIGUOUS', `Select by one thing alone, not by ${first.by} and ${second.by}`);
  }
  return first;
}

function byId(ids: Set<string>): Selection {
  return { by: 'ids', matches: (message) => ids.has(idOfMessage(message)) };
}

function byReason(reason: string, refused: boolean): Selection {
  const reasonsOf = (message: Message) => (refused ? describeFailure(message).types : [reasonOf(message)]);
  return { by: 'reason', matches: (message) => reasonsOf(message).includes(reason) };
}

function byTime(from: number, to: number): Selection {
  const isWithin = (time: number | undefined) => time !== undefined && time >= from && time <= to;
  return { by: 'time', matches: (message) => isWithin(timeOfLetter(message)) };
}

function timeOf(text: string | undefined, open: number): number {
  if (text === undefined) return open;
  const time = TIME.test(text) ? Date.parse(text) : NaN;
  if (!Number.isNaN(time)) return time;
  throw new FinalError('SELECTION_INVALID', 'from and to want a time with Z or an offset: 2026-01-31T12:00:00Z');
}
