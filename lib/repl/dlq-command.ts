import type { ServiceBroker } from 'moleculer';
import type { Purged, Replayed } from '../dlq/dead-letters';
import type { DeadLetter, FailureRecord } from '../dlq/letter';
import type { DlqSummary } from '../dlq/operations';
import { command, UsageError, type CommandArgs } from './command';
import { age, list, table, type Columns } from './table';

const SUMMARY: Columns<DlqSummary> = [
  ['queue', (row) => row.queue],
  ['messages', (row) => row.messages],
  ['oldest', (row) => age(row.oldestSeconds)],
  [
    'reasons',
    (row) =>
      row.reasons &&
      Object.entries(row.reasons)
        .map(([name, count]) => `${name} ${count}`)
        .join(', '),
  ],
];

const LETTERS: Columns<DeadLetter> = [
  ['message', (letter) => letter.id],
  ['from', (letter) => letter.senderId],
  ['received', (letter) => letter.receivedAt],
  ['dead since', (letter) => letter.deadAt],
  ['reason', (letter) => letter.reason],
  ['tries', (letter) => letter.tries],
  ['replayed', (letter) => letter.replayed],
  ['bytes', (letter) => letter.bytes],
  ['trace', (letter) => letter.traceId],
];

const FAILURES: Columns<FailureRecord> = [
  ['message', (record) => record.id],
  ['types', (record) => record.types.join(' ')],
  ['from', (record) => record.senderId],
  ['to', (record) => record.recipientId],
  ['received', (record) => record.receivedAt],
  ['bytes', (record) => record.bytes],
];

type Answer =
  | { what: 'list'; rows: DlqSummary[] }
  | { what: 'peek'; rows: (DeadLetter | FailureRecord)[] }
  | { what: 'replay' | 'purge'; done: Replayed | Purged };

const USAGE = 'The command is: dlq list | dlq peek <agent> | dlq replay <agent> … | dlq purge <agent> …';

const OPTIONS = [
  { option: '--reasons', description: 'list: look into each queue for the reasons' },
  { option: '--limit <n>', description: 'Messages at the most' },
  { option: '--ids <ids>', description: 'replay, purge: these messages, separated by commas' },
  { option: '--reason <reason>', description: 'replay, purge: those with this reason' },
  { option: '--from <time>', description: 'replay, purge: those dead-lettered since, as 2026-01-31T12:00:00Z' },
  { option: '--to <time>', description: 'replay, purge: those dead-lettered until' },
  { option: '--all', description: 'replay, purge: all of them' },
  { option: '--dry-run', description: 'replay, purge: say what would happen' },
];

/** `dlq list|peek|replay|purge`: prints what the action of that name of the dlq-monitor answers. */
export const dlqCommand = command<Answer>(
  'dlq <what> [agentId]',
  'Look at dead letters, replay or purge them',
  OPTIONS,
  {
    ask,
    text: asText,
    json: (answer) => ('rows' in answer ? answer.rows : answer.done),
  },
);

async function ask(broker: ServiceBroker, args: CommandArgs): Promise<Answer> {
  const { what, agentId, options } = args;
  if (what === 'list') {
    return { what, rows: await broker.call('dlq-monitor.list', { reasons: options['reasons'] === true }) };
  }
  if (what !== 'peek' && what !== 'replay' && what !== 'purge') throw new UsageError(USAGE);
  if (typeof agentId !== 'string') throw new UsageError(`Of which agent? ${USAGE}`);
  const limit = options['limit'] === undefined ? undefined : Number(options['limit']);
  if (what === 'peek') return { what, rows: await broker.call('dlq-monitor.peek', { agentId, limit }) };
  const { reason, from, to, all, dryRun, ids } = options;
  const selection = { ids: idsIn(ids), reason, from, to, all };
  return { what, done: await broker.call(`dlq-monitor.${what}`, { agentId, ...selection, dryRun, limit }) };
}

/** An id that is empty would be that of every message without one. */
function idsIn(text: unknown): string[] | undefined {
  if (typeof text !== 'string' && typeof text !== 'number') return undefined;
  const ids = `${text}`
    .split(',')
    .map((id) => id.trim())
    .filter((id) => id !== '');
  if (ids.length === 0) throw new UsageError('--ids wants at least one id');
  return ids;
}

function asText(answer: Answer): string {
  if (answer.what === 'list') return table(SUMMARY, answer.rows);
  if (answer.what === 'peek') return peekAsText(answer.rows);
  const { queue, dryRun, matched, left, complete } = answer.done;
  const { replayed, failed, error } = answer.done as Replayed;
  return list([
    ['queue', queue],
    ['matched', matched],
    ...(answer.what === 'replay'
      ? ([
          ['replayed', replayed],
          ['failed', failed],
        ] as [string, number][])
      : []),
    ...(answer.what === 'purge' ? [['purged', (answer.done as Purged).purged] as [string, number]] : []),
    ['left', left],
    ...(error ? [[error.code, error.message] as [string, string]] : []),
    ...(dryRun ? [['note', 'nothing was changed'] as [string, string]] : []),
    ...(complete ? [] : [['note', 'not everything was looked at: repeat it'] as [string, string]]),
  ]);
}

function peekAsText(rows: (DeadLetter | FailureRecord)[]): string {
  const failures = rows.filter((row) => 'types' in row);
  return failures.length > 0 ? table(FAILURES, failures) : table(LETTERS, rows as DeadLetter[]);
}
