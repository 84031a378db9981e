import type { ConsumeMessage } from 'amqplib';
import type { Settlement } from '../../../lib/amqp/consumer';
import { Lifetime } from '../../../lib/amqp/lifetime';
import { RetryableError } from '../../../lib/errors';
import { deliver, type DeliverContext } from '../../../lib/router/deliver';
import { Suspects } from '../../../lib/router/suspects';
import { RoutingEvents } from '../../../lib/telemetry/routing-events';
import { countingMetrics, FakePublisher, RecordingLog } from '../fakes';
import { noTracing } from '../../../lib/telemetry/tracing';

export const AGENT = '7b2d9e44-1c57-4a8e-8f3b-5e6f7a8b9c02';
export const DLQ = `${AGENT}.dlq`;

export const OK = { status: 'ok' };
export const failed = (type: string) => ({ status: 'error', errors: [{ type, message: 'why' }] });
export const BROKER_GONE = new RetryableError('BROKER_UNAVAILABLE', 'no confirm');

/** As by default, without jitter: the waits are 1, 2, 4, … 30 s. */
export const delivery = {
  ackTimeoutMs: 2000,
  maxTries: 10,
  retryDelayMs: 1000,
  retryDelayMaxMs: 30_000,
  prefetch: 50,
};

export const envelope = {
  id: 'a3bb189e-8bf9-4c3a-9f1d-2e5f6a7b8c9d',
  type: 'ChatMessage',
  senderId: '3f1a5c1e-6f0e-4c0b-9d0f-0a1b2c3d4e01',
  recipientId: AGENT,
  timestamp: '2026-11-20T10:00:00.000Z',
  payload: 'sealed',
  receivedAt: '2026-11-20T10:00:00.001Z',
  extra: { deep: ['õ'] },
};

interface Sending {
  envelope: unknown;
  /** Calls back with the agent's ack. */
  answer: (ack: unknown) => void;
  /** When it went down, ms since the set-up. */
  at: number;
}

/** A message as its queue hands it out. */
export function consumed(content: string | Buffer = JSON.stringify(envelope), headers: object = {}): ConsumeMessage {
  const properties = { messageId: envelope.id, headers };
  return { content: Buffer.from(content), fields: {}, properties } as unknown as ConsumeMessage;
}

/** An agent that answers what its test says, and everything else that delivering takes. */
export function setUp() {
  const { metrics, counted, observed } = countingMetrics([AGENT]);
  const publisher = new FakePublisher();
  const log = new RecordingLog();
  const sendings: Sending[] = [];
  const consumer = new Lifetime();
  const settled: jest.Mock<void, [Settlement]> = jest.fn<void, [Settlement]>();
  const startedAt = Date.now();
  const context: DeliverContext = {
    agentId: AGENT,
    send: (body, answer) =>
      sendings.push({ envelope: JSON.parse(body.toString()) as unknown, answer, at: Date.now() - startedAt }) > 0,
    publisher: publisher.asPublisher,
    declare: jest.fn(() => Promise.resolve()),
    delivery,
    suspects: new Suspects(delivery.ackTimeoutMs),
    tracing: noTracing,
    events: new RoutingEvents(metrics, log),
  };
  /** Begins a delivery; `settled` is called with what becomes of the message. */
  const start = (message = consumed()) => deliver(context, message, consumer).then(settled);
  return { counted, observed, publisher, log, sendings, consumer, settled, context, start };
}
