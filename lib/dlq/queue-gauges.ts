import type { QueueTtlConfig } from '../config/types';
import type { Labels, Metrics } from '../telemetry/metrics';
import type { QueueRow } from './queue-watch';

/**
 * Shows the queues of the listed agents as metrics. Every node shows the counts; ages are shown by the one that looks,
 * and taken away by one that looks no more.
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
  metrics.replace(
    'dmr_queue_messages',
    of('agent', ({ messages }) => messages),
  );
  metrics.replace(
    'dmr_queue_oldest_seconds',
    of('agent', ({ oldestSeconds }) => oldestSeconds),
  );
  metrics.replace(
    'dmr_dlq_messages',
    of('dlq', ({ messages }) => messages),
  );
  metrics.replace(
    'dmr_dlq_oldest_seconds',
    of('dlq', ({ oldestSeconds }) => oldestSeconds),
  );
  metrics.set('dmr_queue_ttl_seconds', ttl.agentTtlMs / 1000);
  metrics.set('dmr_dlq_ttl_seconds', ttl.dlqTtlMs / 1000);
  metrics.set('dmr_validation_failures_messages', rows.find(({ kind }) => kind === 'failures')?.messages ?? 0);
}
