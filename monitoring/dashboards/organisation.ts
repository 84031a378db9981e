import { lines, number, quantiles, rateBy, type Dashboard, type Row } from './grafana';
import { processes } from './queries';

const OF = '{instance=~"$instance"}';
const BY = '{{instance}}';

const now: Row = {
  title: 'Now',
  panels: [
    number('Connected to a server', 'none', `min(dmr_agent_socket_connection_active${OF})`, { redBelow: 1 }),
    number('Chatbot takes messages', 'none', `min(dmr_chatbot_available${OF})`, { redBelow: 1 }),
    number('Waiting to be sent', 'none', `sum(dmr_outbox_messages${OF})`),
    number('Oldest of them', 's', `max(dmr_outbox_oldest_seconds${OF})`, { redFrom: 900 }),
    number('Key listed: current', 'none', 'min(dmr_agent_key_listed{instance=~"$instance",key="current"})', {
      redBelow: 1,
    }),
    number('Remembered messages', 'none', `sum(dmr_duplicate_window_entries${OF})`),
  ],
};

const sending: Row = {
  title: 'Sending',
  panels: [
    lines('Requests of the chatbot', 'reqps', [
      { ...rateBy('dmr_http_requests_total', ['method', 'route'], OF), legend: '{{method}} {{route}}' },
      { ...rateBy('dmr_http_success_total', ['status'], OF), legend: 'answered {{status}}' },
      { ...rateBy('dmr_http_errors_total', ['status'], OF), legend: 'answered {{status}}' },
    ]),
    lines('Answers to the chatbot', 's', quantiles('dmr_http_request_duration_seconds', { where: OF, by: 'route' })),
    lines('Messages that the server took', 'reqps', [rateBy('dmr_messages_sent_total', ['instance'], OF)]),
    lines('Outbox', 'short', [{ expr: `dmr_outbox_messages${OF}`, legend: BY }], { width: 6 }),
    lines('Oldest in the outbox', 's', [{ expr: `dmr_outbox_oldest_seconds${OF}`, legend: BY }], { width: 6 }),
    lines('Given up', 'reqps', [rateBy('dmr_outbox_failed_total', ['reason'], OF)], { width: 6 }),
    lines('Sealing', 's', quantiles('dmr_seal_duration_seconds', { where: OF }), { width: 6 }),
  ],
};

const receiving: Row = {
  title: 'Receiving',
  panels: [
    lines('Received', 'reqps', [
      { ...rateBy('dmr_messages_received_total', [], OF), legend: 'taken by the chatbot' },
      { ...rateBy('dmr_duplicates_dropped_total', [], OF), legend: 'copies dropped' },
    ]),
    lines('Rejected', 'reqps', [rateBy('dmr_messages_rejected_total', ['type'], OF)]),
    lines('Opening', 's', quantiles('dmr_open_duration_seconds', { where: OF })),
    lines('Chatbot: time to its answer', 's', quantiles('dmr_chatbot_duration_seconds', { where: OF })),
    lines('Chatbot: failures', 'reqps', [rateBy('dmr_chatbot_failures_total', ['reason'], OF)]),
    lines('Chatbot: takes messages', 'short', [{ expr: `dmr_chatbot_available${OF}`, legend: BY }]),
  ],
};

const connection: Row = {
  title: 'Connection, key and disk',
  panels: [
    lines('Connected to a server', 'short', [{ expr: `dmr_agent_socket_connection_active${OF}`, legend: BY }], {
      width: 6,
    }),
    lines(
      'Events',
      'reqps',
      [
        { ...rateBy('dmr_socket_events_received_total', ['event'], OF), legend: 'received {{event}}' },
        { ...rateBy('dmr_socket_events_sent_total', ['event'], OF), legend: 'sent {{event}}' },
      ],
      { width: 6 },
    ),
    lines('Which key CentOps lists', 'short', [{ expr: `dmr_agent_key_listed${OF}`, legend: `${BY} {{key}}` }], {
      width: 6,
    }),
    lines('Disk takes what is written', 'short', [{ expr: `dmr_agent_disk_writable${OF}`, legend: BY }], { width: 6 }),
  ],
};

/** The agent of one organisation, as it sees itself. */
export const organisation: Dashboard = {
  uid: 'dmr-organisation',
  title: 'DMR agent of an organisation',
  description: 'The agent of an organisation as it sees itself: its outbox, its chatbot, its key.',
  variables: [{ name: 'instance', label: 'Agent', query: 'label_values(dmr_build_info{role="agent"}, instance)' }],
  rows: [now, sending, receiving, connection, processes('agent', ',instance=~"$instance"')],
};
