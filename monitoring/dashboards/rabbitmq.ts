import { lines, number, rateBy, type Dashboard, type Row } from './grafana';

const BY = '{{instance}}';
const counter = (name: string, legend: string) => ({ ...rateBy(`rabbitmq_global_${name}_total`, []), legend });

/** The name changed with RabbitMQ 4.2. */
const COMMIT_LATENCY = {
  '3.x': 'rabbitmq_raft_entry_commit_latency_seconds',
  '4.2': 'rabbitmq_raft_max_commit_latency_seconds',
};

const now: Row = {
  title: 'Now',
  panels: [
    number('Nodes', 'none', 'count(count by (instance) (rabbitmq_build_info))', { redBelow: 1 }),
    number('Ready', 'none', 'sum(rabbitmq_queue_messages_ready)'),
    number('Unacknowledged', 'none', 'sum(rabbitmq_queue_messages_unacked)'),
    number('Queues', 'none', 'sum(rabbitmq_queues)'),
    number('Connections', 'none', 'sum(rabbitmq_connections)'),
    number(
      'Alarms',
      'none',
      'sum(rabbitmq_alarms_memory_used_watermark) + sum(rabbitmq_alarms_free_disk_space_watermark)',
      { redFrom: 1 },
    ),
  ],
};

const messages: Row = {
  title: 'Messages',
  panels: [
    lines('In all queues', 'short', [
      { expr: 'sum(rabbitmq_queue_messages_ready)', legend: 'ready' },
      { expr: 'sum(rabbitmq_queue_messages_unacked)', legend: 'unacknowledged' },
      { expr: 'sum(rabbitmq_queue_messages)', legend: 'total' },
    ]),
    lines('Published', 'reqps', [
      counter('messages_received', 'received'),
      counter('messages_confirmed', 'confirmed'),
      counter('messages_unroutable_returned', 'returned, no such queue'),
    ]),
    lines('Delivered', 'reqps', [
      counter('messages_delivered', 'delivered'),
      counter('messages_acknowledged', 'acknowledged'),
      counter('messages_redelivered', 'redelivered'),
    ]),
    lines('Dead-lettered by RabbitMQ', 'reqps', [
      counter('messages_dead_lettered_expired', 'expired'),
      counter('messages_dead_lettered_delivery_limit', 'delivery limit'),
      counter('messages_dead_lettered_rejected', 'rejected'),
    ]),
  ],
};

const ten = (gauge: string) => [{ expr: `topk(10, sum by (queue) (${gauge}) > 0)`, legend: '{{queue}}' }];

const queues: Row = {
  title: 'Queues one by one, from /metrics/detailed',
  panels: [
    lines('Ready', 'short', ten('rabbitmq_detailed_queue_messages_ready')),
    lines('Unacknowledged', 'short', ten('rabbitmq_detailed_queue_messages_unacked')),
    lines('Consumers', 'short', ten('rabbitmq_detailed_queue_consumers')),
  ],
};

const nodes: Row = {
  title: 'Nodes',
  panels: [
    lines('Memory', 'bytes', [
      { expr: 'rabbitmq_process_resident_memory_bytes', legend: BY },
      { expr: 'rabbitmq_resident_memory_limit_bytes', legend: `${BY} limit` },
    ]),
    lines('Disk left', 'bytes', [
      { expr: 'rabbitmq_disk_space_available_bytes', legend: BY },
      { expr: 'rabbitmq_disk_space_available_limit_bytes', legend: `${BY} limit` },
    ]),
    lines('Connections, channels, consumers', 'short', [
      { expr: 'sum(rabbitmq_connections)', legend: 'connections' },
      { expr: 'sum(rabbitmq_channels)', legend: 'channels' },
      { expr: 'sum(rabbitmq_consumers)', legend: 'consumers' },
    ]),
    lines('Opened', 'reqps', [
      { ...rateBy('rabbitmq_connections_opened_total', []), legend: 'connections' },
      { ...rateBy('rabbitmq_channels_opened_total', []), legend: 'channels' },
    ]),
    lines('Erlang processes', 'percentunit', [
      { expr: 'rabbitmq_erlang_processes_used / rabbitmq_erlang_processes_limit', legend: BY },
    ]),
    lines('Commit latency of the quorum queues', 's', [
      { expr: `${COMMIT_LATENCY['4.2']} or ${COMMIT_LATENCY['3.x']}`, legend: BY },
    ]),
  ],
};

/** RabbitMQ as its own plugin sees it. */
export const rabbitmq: Dashboard = {
  uid: 'dmr-rabbitmq',
  title: 'DMR RabbitMQ',
  description: 'RabbitMQ as its own plugin rabbitmq_prometheus sees it.',
  rows: [now, messages, queues, nodes],
};
