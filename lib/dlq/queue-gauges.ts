import type { QueueTtlConfig } from '../config/types';
import type { Labels, Metrics } from '../telemetry/metrics';
import type { QueueRow } from './queue-watch';

/**
 * Shows the queues of the listed agents as metrics. Every node shows the counts; the last one stays of a queue without a
 * row, and of a DLQ that somebody goes through, as it shows less than it holds. Ages are shown by the node that looks, and
 * taken away by one that looks no more.
 */
export function showQueues(
  metrics: Metrics,
  rows: QueueRow[],
  isListed: (agentId: string) => boolean,
  ttl: QueueTtlConfig,
): void {
  const of = (kind: QueueRow['kind'], value: (row: QueueRow) => number | null) =>
    rows.flatMap((row): [Labels, number][] => {
      const shown = value(row);
      if (row.kind !== kind || row.agentId === null || shown === null || !isListed(row.agentId)) return [];
      return [[{ agent: row.agentId }, shown]];
    });
  const still = ({ messages, consumers }: QueueRow) => (consumers > 0 ? null : messages);
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
  metrics.set('dmr_queue_ttl_seconds', ttl.agentTtlMs / 1000);
  metrics.set('dmr_dlq_ttl_seconds', ttl.dlqTtlMs / 1000);
  const failures = rows.find(({ kind }) => kind === 'failures');
  if (failures && still(failures) !== null) metrics.set('dmr_validation_failures_messages', failures.messages);
}
