import { lines, number, quantiles, rateBy, table, type Dashboard, type Row } from './grafana';
import { named, ofAgents, processes } from './queries';

const now: Row = {
  title: 'Now',
  panels: [
    number('Alerts firing', 'none', 'count(ALERTS{alertstate="firing"}) or vector(0)', { width: 3, redFrom: 1 }),
    number('Server nodes', 'none', 'count(dmr_build_info{role="server"})', { width: 3, redBelow: 1 }),
    number('Agents connected', 'none', 'sum(dmr_socket_connections_active)', { width: 3, redBelow: 1 }),
    number('Agents known', 'none', 'max(dmr_agents_known)', { width: 3, redBelow: 1 }),
    number('Messages waiting', 'none', `sum(${ofAgents('dmr_queue_messages')})`, { width: 3 }),
    number('Dead letters', 'none', `sum(${ofAgents('dmr_dlq_messages')})`, { width: 3, redFrom: 1 }),
    number('Validation failures', 'none', 'max(dmr_validation_failures_messages)', { width: 3 }),
    number('Age of the agent list', 's', 'max(dmr_centops_sync_age_seconds)', { width: 3, redFrom: 5400 }),
  ],
};

const throughput: Row = {
  title: 'Messages',
  panels: [
    lines('Accepted and delivered', 'reqps', [
      { ...rateBy('dmr_messages_accepted_total', []), legend: 'accepted' },
      { ...rateBy('dmr_messages_delivered_total', []), legend: 'delivered' },
    ]),
    lines(
      'Latency, from the ack to the sender to the ack of the recipient',
      's',
      quantiles('dmr_message_latency_seconds'),
    ),
    lines('Confirm latency of RabbitMQ', 's', quantiles('dmr_confirm_latency_seconds')),
    lines('From the socket into the queue', 's', [
      ...quantiles('dmr_message_processing_duration_seconds', { where: '{event="dmr:agents:message-to-dmr-server"}' }),
    ]),
    lines('In flight', 'short', [{ expr: 'sum by (direction) (dmr_messages_in_flight)', legend: '{{direction}}' }]),
    lines('Delivered, by recipient', 'reqps', [
      {
        expr: `topk(10, ${named('sum by (agent) (rate(dmr_messages_delivered_total[$__rate_interval]))')})`,
        legend: '{{name}}',
      },
    ]),
  ],
};

const trouble: Row = {
  title: 'What goes wrong',
  panels: [
    lines('Retried', 'reqps', [rateBy('dmr_messages_retried_total', ['reason'])]),
    lines('Dead-lettered by a node', 'reqps', [rateBy('dmr_messages_dead_lettered_total', ['reason'])], {
      description: 'What expires in a queue is moved by RabbitMQ: see its dashboard.',
    }),
    lines('Refused to the sender', 'reqps', [rateBy('dmr_messages_refused_total', ['reason'])]),
    lines('Validation failures', 'reqps', [
      rateBy('dmr_validation_failures_total', ['type']),
      { ...rateBy('dmr_validation_failures_dropped_total', []), legend: 'not kept' },
    ]),
    lines('Logins refused', 'reqps', [rateBy('dmr_logins_refused_total', ['reason'])]),
    lines('Socket errors, and agents slowed', 'reqps', [
      { ...rateBy('dmr_socket_errors_total', ['instance']), legend: '{{instance}} errors' },
      { ...rateBy('dmr_agents_slowed_total', ['instance']), legend: '{{instance}} slowed' },
    ]),
  ],
};

const tenOf = (gauge: string) => [{ expr: `topk(10, ${named(`${ofAgents(gauge)} > 0`)})`, legend: '{{name}}' }];

const queues: Row = {
  title: 'Queues',
  panels: [
    lines('Waiting', 'short', tenOf('dmr_queue_messages'), { width: 6 }),
    lines(
      'Oldest waiting',
      's',
      [...tenOf('dmr_queue_oldest_seconds'), { expr: 'max(dmr_queue_ttl_seconds)', legend: 'lifetime' }],
      { width: 6 },
    ),
    lines('Dead letters', 'short', tenOf('dmr_dlq_messages'), { width: 6 }),
    lines(
      'Oldest dead letter',
      's',
      [...tenOf('dmr_dlq_oldest_seconds'), { expr: 'max(dmr_dlq_ttl_seconds)', legend: 'lifetime' }],
      { width: 6 },
    ),
    lines('Dead letters of agents that left', 'short', [{ expr: 'max(dmr_dlq_departed_messages)' }], { width: 6 }),
    lines(
      'Oldest dead letter of agents that left',
      's',
      [
        { expr: 'max(dmr_dlq_departed_oldest_seconds)', legend: 'oldest' },
        { expr: 'max(dmr_dlq_ttl_seconds)', legend: 'lifetime' },
      ],
      { width: 6 },
    ),
    lines('Dead letters replayed and purged', 'short', [
      { expr: 'sum(increase(dmr_dlq_replayed_total[$__rate_interval]))', legend: 'replayed' },
      { expr: 'sum(increase(dmr_dlq_purged_total[$__rate_interval]))', legend: 'purged' },
    ]),
    lines('Validation failures kept', 'short', [{ expr: 'max(dmr_validation_failures_messages)' }]),
    lines('Queues with other arguments than ours', 'short', [{ expr: 'max(dmr_queues_as_is)' }]),
  ],
};

const agents: Row = {
  title: 'Agents',
  panels: [
    lines('Connected', 'short', [{ expr: 'dmr_socket_connections_active', legend: '{{instance}}' }]),
    lines('Let no agents in', 'short', [{ expr: 'dmr_node_draining', legend: '{{instance}}' }]),
    lines('Logins and losses', 'reqps', [
      { ...rateBy('dmr_socket_connections_total', []), legend: 'logins' },
      { ...rateBy('dmr_socket_disconnections_total', []), legend: 'losses' },
    ]),
    lines('How long sockets last', 's', quantiles('dmr_socket_connection_duration_seconds')),
    table('Where they are', 'none', named('max by (agent, instance) (dmr_agent_connected) == 1')),
    table(
      'Not connected',
      'none',
      'max by (agent, name) (dmr_agent_info) unless on (agent) (dmr_agent_connected == 1)',
    ),
  ],
};

const surroundings: Row = {
  title: 'RabbitMQ and CentOps, as the nodes see them',
  panels: [
    lines('Connections to RabbitMQ', 'short', [
      { expr: 'dmr_broker_connection_open', legend: '{{instance}} {{use}}' },
      { expr: 'dmr_broker_connected', legend: '{{instance}} takes and gives' },
    ]),
    lines('Blocked by RabbitMQ', 'short', [{ expr: 'dmr_broker_blocked', legend: '{{instance}}' }]),
    lines('Age of the last whole list', 's', [{ expr: 'dmr_centops_sync_age_seconds', legend: '{{instance}}' }]),
    lines('Looks at CentOps', 'short', [
      { expr: 'sum by (result) (increase(dmr_centops_looks_total[1h]))', legend: '{{result}} within an hour' },
    ]),
    lines('Agents missing at CentOps', 'short', [{ expr: 'dmr_centops_suspicious', legend: '{{instance}}' }]),
    lines('Last look gave a whole list', 'short', [{ expr: 'dmr_centops_whole', legend: '{{instance}}' }]),
  ],
};

/** The whole mesh: what goes through it, what goes wrong, where it waits. */
export const mesh: Dashboard = {
  uid: 'dmr-mesh',
  title: 'DMR mesh',
  description: 'What goes through the mesh, what goes wrong, and where messages wait.',
  rows: [now, throughput, trouble, queues, agents, surroundings, processes('server')],
};
