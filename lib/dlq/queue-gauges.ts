import type { QueueTtlConfig } from '../config/types';
import type { Labels, Metrics } from '../telemetry/metrics';
import type { QueueRow } from './queue-watch';

/**
 * Shows the queues as metrics: those of the listed agents one by one, the dead letters of all others together. Every node
 * shows the counts; the last one stays of a queue without a row, and of a DLQ that somebody goes through, as it shows less
 * than it holds. Ages are shown by the node that looks, and taken away by one that looks no more. `unanswered`: queues that
 * exist, and have no row.
 */
export function showQueues(
  metrics: Metrics,
  rows: QueueRow[],
  isListed: (agentId: string) => boolean,
  ttl: QueueTtlConfig,
  unanswered: ReadonlySet<string> = new Set(),
): void {
  const of = (kind: QueueRow['kind'], value: (row: QueueRow) => number | null) =>
    rows.flatMap((row): [Labels, number][] => {
      const shown = value(row);
      if (row.kind !== kind || row.agentId === null || shown === null || !isListed(row.agentId)) return [];
      return [[{ agent: row.agentId }, shown]];
    });
  for (const [labels, value] of of('agent', ({ messages }) => messages))
    metrics.set('dmr_queue_messages', value, labels);
  metrics.replace(
    'dmr_queue_oldest_seconds',
    of('agent', ({ oldestSeconds }) => oldestSeconds),
  );
  for (const [labels, value] of of('dlq', still)) metrics.set('dmr_dlq_messages', value, labels);
  metrics.replace(
    'dmr_dlq_oldest_seconds',
    of('dlq', ({ oldestSeconds }) => oldestSeconds),
  );
  const departed = rows.filter(({ kind, agentId }) => kind === 'dlq' && agentId !== null && !isListed(agentId));
  showDeparted(metrics, departed, unanswered.size === 0);
  metrics.set('dmr_queue_ttl_seconds', ttl.agentTtlMs / 1000);
  metrics.set('dmr_dlq_ttl_seconds', ttl.dlqTtlMs / 1000);
  const failures = rows.find(({ kind }) => kind === 'failures');
  if (failures && still(failures) !== null) metrics.set('dmr_validation_failures_messages', failures.messages);
}

/** Who left is in no label. Their number is that of the last count in which each of their DLQs could be counted. */
function showDeparted(metrics: Metrics, rows: QueueRow[], isWhole: boolean): void {
  const counts = rows.map(still);
  if (isWhole && !counts.includes(null))
    metrics.set(
      'dmr_dlq_departed_messages',
      counts.reduce<number>((sum, count) => sum + (count ?? 0), 0),
    );
  const ages = rows.flatMap(({ oldestSeconds }) => oldestSeconds ?? []);
  const isKnown = rows.length === 0 || ages.length > 0;
  metrics.replace('dmr_dlq_departed_oldest_seconds', isKnown ? [[{}, Math.max(0, ...ages)]] : []);
}

/** Null while somebody goes through it. */
function still({ messages, consumers }: QueueRow): number | null {
  return consumers > 0 ? null : messages;
}
