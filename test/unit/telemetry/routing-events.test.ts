import { agentMetrics, serverMetrics } from '../../../lib/telemetry/definitions';
import { Metrics } from '../../../lib/telemetry/metrics';
import { RoutingEvents } from '../../../lib/telemetry/routing-events';
import type { ProtocolError } from '../../../lib/protocol/events';
import { countingMetrics, RecordingLog } from '../fakes';

const AGENTS = ['sender', 'recipient'];
const message = { id: 'message', senderId: 'sender', recipientId: 'recipient', payload: 'SEALED' };
const errors: ProtocolError[] = [
  { type: 'INVALID_FORMAT', message: 'a' },
  { type: 'INVALID_FORMAT', message: 'b' },
  { type: 'INVALID_TIMESTAMP', message: 'c' },
];

const HAPPENINGS: [string, (events: RoutingEvents) => void, Record<string, number>][] = [
  ['accepted', (events) => events.accepted(message), { 'dmr_messages_accepted_total{agent="sender"}': 1 }],
  [
    'refused',
    (events) => events.refused('sender', errors, 'message'),
    { 'dmr_messages_refused_total{reason="INVALID_FORMAT"}': 1 },
  ],
  [
    'unavailable',
    (events) => events.unavailable(message, 'BROKER_UNAVAILABLE'),
    { 'dmr_messages_refused_total{reason="BROKER_UNAVAILABLE"}': 1 },
  ],
  ['sent', (events) => events.sent(message, 1, undefined), {}],
  [
    'sent again',
    (events) => events.sent(message, 2, 'NO_ACK'),
    { 'dmr_messages_retried_total{agent="recipient",reason="NO_ACK"}': 1 },
  ],
  ['delivered', (events) => events.delivered(message, 1), { 'dmr_messages_delivered_total{agent="recipient"}': 1 }],
  ['rejected', (events) => events.rejected(message, errors), {}],
  [
    'dead-lettered',
    (events) => events.deadLettered('recipient', 'message', 'NO_ACK', 10),
    { 'dmr_messages_dead_lettered_total{agent="recipient",reason="NO_ACK"}': 1 },
  ],
];

describe('RoutingEvents', () => {
  it.each(HAPPENINGS)('%s: one count, one line with the id and without content', (_what, happen, expected) => {
    const { metrics, counted } = countingMetrics(AGENTS);
    const log = new RecordingLog();
    happen(new RoutingEvents(metrics, log));
    expect(counted).toEqual(expected);
    expect(log.lines).toHaveLength(1);
    expect(log.lines[0]?.context).toMatchObject({ messageId: 'message' });
    expect(JSON.stringify(log.lines)).not.toContain('SEALED');
  });

  it('says nothing of each message where the log would drop it, and counts as ever', () => {
    const { metrics, counted } = countingMetrics(AGENTS);
    const log = new RecordingLog();
    const events = new RoutingEvents(metrics, log, false);
    for (const [, happen] of HAPPENINGS) happen(events);
    expect(log.lines.map(({ level, message }) => `${level} ${message}`)).toEqual([
      'warn message refused',
      'warn message not accepted, the sender must repeat it',
      'warn recipient rejected the message',
      'warn message dead-lettered',
    ]);
    expect(counted).toEqual(Object.assign({}, ...HAPPENINGS.map(([, , expected]) => expected)));
  });

  it('warns of each reason that keeps messages out once a minute, and tells every one of them at debug', () => {
    const log = new RecordingLog();
    const events = new RoutingEvents(countingMetrics(AGENTS).metrics, log);
    for (const code of ['BROKER_UNAVAILABLE', 'BROKER_UNAVAILABLE', 'NOT_CONFIRMED', 'BROKER_UNAVAILABLE'])
      events.unavailable(message, code);
    expect(log.lines.map(({ level }) => level)).toEqual(['warn', 'debug', 'warn', 'debug']);
  });

  it('recorded: each type of one message counts once', () => {
    const { metrics, counted } = countingMetrics(AGENTS);
    new RoutingEvents(metrics, new RecordingLog()).recorded(errors);
    expect(counted).toEqual({
      'dmr_validation_failures_total{type="INVALID_FORMAT"}': 1,
      'dmr_validation_failures_total{type="INVALID_TIMESTAMP"}': 1,
    });
  });

  it('counts nothing for agents that are not listed', () => {
    const { metrics, counted } = countingMetrics(['another']);
    const events = new RoutingEvents(metrics, new RecordingLog());
    for (const [, happen] of HAPPENINGS) happen(events);
    expect(Object.keys(counted).filter((key) => key.includes('agent='))).toEqual([]);
    expect(Object.keys(counted)).toHaveLength(2);
  });

  describe('the latency of a delivery', () => {
    const NOW = Date.parse('2026-11-20T10:00:05.500Z');
    beforeEach(() => void jest.useFakeTimers({ now: NOW }));
    afterEach(() => void jest.useRealTimers());

    const latencies = (receivedAt: unknown, isReplayed?: boolean) => {
      const { metrics, observed } = countingMetrics(AGENTS);
      new RoutingEvents(metrics, new RecordingLog()).delivered({ ...message, receivedAt }, 1, isReplayed);
      return observed.dmr_message_latency_seconds;
    };

    it('is counted in seconds from the time at which a server took the message', () => {
      expect(latencies('2026-11-20T10:00:03.000Z')).toEqual([2.5]);
    });

    it('is none for a message that was replayed', () => {
      expect(latencies('2026-11-20T10:00:03.000Z', true)).toBeUndefined();
    });

    it('is never below 0, be the clock of the other node ahead', () => {
      expect(latencies('2026-11-20T10:00:06.000Z')).toEqual([0]);
    });

    it.each([undefined, null, '', 'yesterday', 0, 1763632805500, ['2026-11-20T10:00:03.000Z'], {}])(
      'is not counted from %p',
      (receivedAt) => expect(latencies(receivedAt)).toBeUndefined(),
    );
  });

  it('counts under names and labels that are defined', () => {
    const metrics = new Metrics();
    metrics.listAgents(AGENTS);
    const events = new RoutingEvents(metrics, new RecordingLog());
    metrics.attach((name, _method, labels) => {
      expect(Object.keys(labels ?? {})).toEqual((serverMetrics[name] ?? agentMetrics[name])?.labelNames);
    });
    for (const [, happen] of HAPPENINGS) happen(events);
    events.recorded(errors);
    metrics.read();
    expect.assertions(8); // the latency of a message without a time is none
  });
});
