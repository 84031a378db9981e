import { lines, number, rateBy, type Dashboard, type Row } from './grafana';

const OF = '{agent="$agent"}';
const largest = (gauge: string) => `max(${gauge}${OF})`;

const now: Row = {
  title: 'Now',
  panels: [
    number('Connected', 'none', largest('dmr_agent_connected'), { redBelow: 1 }),
    number('Queue consumed', 'none', largest('dmr_agent_consuming'), { redBelow: 1 }),
    number('Waiting', 'none', largest('dmr_queue_messages')),
    number('Oldest waiting', 's', largest('dmr_queue_oldest_seconds'), { redFrom: 150 }),
    number('Dead letters', 'none', largest('dmr_dlq_messages'), { redFrom: 1 }),
    number('Oldest dead letter', 's', largest('dmr_dlq_oldest_seconds'), { redFrom: 64_800 }),
  ],
};

const messages: Row = {
  title: 'Messages',
  panels: [
    lines('Sent and received', 'reqps', [
      { ...rateBy('dmr_messages_accepted_total', [], OF), legend: 'accepted from it' },
      { ...rateBy('dmr_messages_delivered_total', [], OF), legend: 'delivered to it' },
    ]),
    lines('In flight to it', 'short', [{ expr: `sum(dmr_agent_in_flight${OF})` }]),
    lines('Retried', 'reqps', [rateBy('dmr_messages_retried_total', ['reason'], OF)]),
    lines('Dead-lettered', 'reqps', [rateBy('dmr_messages_dead_lettered_total', ['reason'], OF)]),
    lines('Waiting and dead', 'short', [
      { expr: largest('dmr_queue_messages'), legend: 'waiting' },
      { expr: largest('dmr_dlq_messages'), legend: 'dead letters' },
    ]),
    lines('Oldest', 's', [
      { expr: largest('dmr_queue_oldest_seconds'), legend: 'waiting' },
      { expr: largest('dmr_dlq_oldest_seconds'), legend: 'dead letter' },
    ]),
    lines('Replayed and purged', 'short', [
      { expr: `sum(increase(dmr_dlq_replayed_total${OF}[$__rate_interval]))`, legend: 'replayed' },
      { expr: `sum(increase(dmr_dlq_purged_total${OF}[$__rate_interval]))`, legend: 'purged' },
    ]),
  ],
};

const connection: Row = {
  title: 'Connection and key',
  panels: [
    lines('Socket', 'short', [{ expr: `dmr_agent_connected${OF}`, legend: '{{instance}}' }]),
    lines('Queue consumed', 'short', [{ expr: `dmr_agent_consuming${OF}`, legend: '{{instance}}' }]),
    number(
      'Certificate expires',
      'dateTimeFromNow',
      `min(dmr_agent_certificate_expiry_timestamp_seconds${OF}) * 1000`,
      { width: 8, description: 'Only for an agent that CentOps lists with an X.509 certificate.' },
    ),
  ],
};

/** One agent as the centre sees it. */
export const agent: Dashboard = {
  uid: 'dmr-agent',
  title: 'DMR agent, seen from the centre',
  description: 'One agent as the server nodes see it: its messages, its queues, its socket.',
  variables: [
    {
      name: 'agent',
      label: 'Agent',
      query: 'query_result(max by (agent, name) (dmr_agent_info))',
      regex: '/agent="(?<value>[^"]+)",name="(?<text>[^"]+)"/',
    },
  ],
  rows: [now, messages, connection],
};
