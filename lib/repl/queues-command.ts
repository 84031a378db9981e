import type { QueueRow } from '../dlq/queue-watch';
import { command } from './command';
import { age, table, type Columns } from './table';

const COLUMNS: Columns<QueueRow> = [
  ['queue', (row) => row.queue],
  ['ready', (row) => row.messages],
  ['consumers', (row) => row.consumers],
  ['node', (row) => row.node],
  ['in flight', (row) => row.inFlight],
  ['oldest', (row) => age(row.oldestSeconds)],
  ['arguments', (row) => (row.asIs ? 'as is' : 'ours')],
];

/** `queues`: prints what the action dlq-monitor.queues answers. */
export const queuesCommand = command<QueueRow[]>('queues', 'Show all queues', [], {
  ask: (broker) => broker.call('dlq-monitor.queues'),
  text: (rows) => table(COLUMNS, rows),
});
