import type { ConsumeMessage } from 'amqplib';
import type { Settlement } from '../../../lib/amqp/consumer';
import { UnroutableError } from '../../../lib/amqp/publisher';
import { RetryableError } from '../../../lib/errors';
import { deliver, type DeliverContext } from '../../../lib/router/deliver';
import { RoutingEvents } from '../../../lib/telemetry/routing-events';
import { countingMetrics, FakePublisher, RecordingLog } from '../fakes';

const AGENT = '7b2d9e44-1c57-4a8e-8f3b-5e6f7a8b9c02';
const DLQ = `${AGENT}.dlq`;
const OK = { status: 'ok' };
const failed = (type: string) => ({ status: 'error', errors: [{ type, message: 'why' }] });
const BROKER_GONE = new RetryableError('BROKER_UNAVAILABLE', 'no confirm');

/** As by default, without jitter: the waits are 1, 2, 4, … 30 s. */
const delivery = { ackTimeoutMs: 2000, maxTries: 10, retryDelayMs: 1000, retryDelayMaxMs: 30_000, prefetch: 50 };

const envelope = {
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
  /** When it went down, by the clock of the test. */
  at: number;
}

let publisher: FakePublisher;
let log: RecordingLog;
let counted: Record<string, number>;
let sendings: Sending[];
let consumer: AbortController;
let context: DeliverContext;
let settled: jest.Mock<void, [Settlement]>;

beforeEach(() => {
  jest.useFakeTimers();
  jest.spyOn(Math, 'random').mockReturnValue(1); // the longest wait of each back-off
  const counting = countingMetrics();
  publisher = new FakePublisher();
  log = new RecordingLog();
  counted = counting.counted;
  sendings = [];
  consumer = new AbortController();
  settled = jest.fn();
  context = {
    agentId: AGENT,
    send: (sent, answer) => void sendings.push({ envelope: sent, answer, at: Date.now() - startedAt }),
    publisher: publisher.asPublisher,
    declare: jest.fn(() => Promise.resolve()),
    delivery,
    events: new RoutingEvents(counting.metrics, log),
    log,
  };
  startedAt = Date.now();
});

let startedAt = 0;

afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

function consumed(content: string | Buffer = JSON.stringify(envelope)): ConsumeMessage {
  const properties = { messageId: envelope.id, headers: {} };
  return { content: Buffer.from(content), fields: {}, properties } as unknown as ConsumeMessage;
}

/** Begins a delivery; `settled` is called with what becomes of the message. */
function start(message = consumed()): Promise<void> {
  return deliver(context, message, consumer.signal).then(settled);
}

/** Lets time pass, and everything happen that is due. */
const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

describe('an agent that takes the message', () => {
  it('is sent the message as it lay in the queue, and it is acked', async () => {
    const delivered = start();
    expect(sendings).toEqual([{ envelope, answer: expect.any(Function) as unknown, at: 0 }]);
    await pass(1999);
    expect(settled).not.toHaveBeenCalled();
    sendings[0]!.answer(OK);
    await delivered;
    expect(settled).toHaveBeenCalledWith('ack');
    expect(publisher.attempts).toEqual([]);
    expect(counted).toEqual({ dmr_messages_delivered_total: 1 });
    expect(jest.getTimerCount()).toBe(0);
  });

  it('may answer within the very call', async () => {
    context.send = (_envelope, answer) => answer(OK);
    await start();
    expect(settled).toHaveBeenCalledWith('ack');
  });

  it('may be late: its ok to an earlier try counts during the back-off', async () => {
    const delivered = start();
    await pass(2500); // the wait of 2 s is over, the pause of 1 s is not
    sendings[0]!.answer(OK);
    await delivered;
    expect(settled).toHaveBeenCalledWith('ack');
    expect(sendings).toHaveLength(1);
  });

  it('may be later still: its ok to the first try counts during the second', async () => {
    const delivered = start();
    await pass(3500);
    expect(sendings).toHaveLength(2);
    sendings[0]!.answer(OK);
    await delivered;
    expect(settled).toHaveBeenCalledWith('ack');
    expect(counted).toMatchObject({ dmr_messages_delivered_total: 1 });
  });

  it('may have failed first: a later ok to the same try counts', async () => {
    const delivered = start();
    sendings[0]!.answer(failed('DELIVERY_FAILED'));
    await pass(10);
    expect(settled).not.toHaveBeenCalled();
    sendings[0]!.answer(OK);
    await delivered;
    expect(settled).toHaveBeenCalledWith('ack');
    expect(sendings).toHaveLength(1);
  });
});

describe('an agent that keeps silent', () => {
  it('is tried ten times with the waits of the contract, then the message goes to its DLQ', async () => {
    const delivered = start();
    await pass(10 * 2000 + 151_000 - 1);
    expect(sendings.map(({ at }) => at / 1000)).toEqual([0, 3, 7, 13, 23, 41, 73, 105, 137, 169]);
    expect(settled).not.toHaveBeenCalled();
    await pass(1);
    await delivered;
    expect(settled).toHaveBeenCalledWith('ack');
    expect(sendings).toHaveLength(10);
    expect(counted).toEqual({
      'dmr_messages_retried_total{reason="NO_ACK"}': 9,
      'dmr_messages_dead_lettered_total{reason="NO_ACK"}': 1,
    });
  });

  it('finds the same message in its DLQ, byte for byte, with the reason and the number of tries', async () => {
    context.delivery = { ...delivery, maxTries: 3 };
    const message = consumed(JSON.stringify(envelope, undefined, 2));
    const delivered = start(message);
    await pass(60_000);
    await delivered;
    expect(publisher.confirmed).toEqual([
      {
        queue: DLQ,
        body: message.content,
        messageId: envelope.id,
        headers: { 'x-dmr-reason': 'NO_ACK', 'x-dmr-tries': 3 },
      },
    ]);
  });

  it('is tried once when one try is all there is, and not waited for after it', async () => {
    context.delivery = { ...delivery, maxTries: 1 };
    const delivered = start();
    await pass(2000);
    await delivered;
    expect(sendings).toHaveLength(1);
    expect(publisher.confirmed[0]?.headers).toEqual({ 'x-dmr-reason': 'NO_ACK', 'x-dmr-tries': 1 });
  });
});

describe('an agent that could not hand the message over', () => {
  it('gets it again after the back-off, each time it says so', async () => {
    const delivered = start();
    sendings[0]!.answer(failed('DELIVERY_FAILED'));
    await pass(1000);
    sendings[1]!.answer(failed('DELIVERY_FAILED'));
    await pass(2000);
    sendings[2]!.answer(OK);
    await delivered;
    expect(sendings.map(({ at }) => at)).toEqual([0, 1000, 3000]);
    expect(settled).toHaveBeenCalledWith('ack');
    expect(counted).toEqual({
      'dmr_messages_retried_total{reason="DELIVERY_FAILED"}': 2,
      dmr_messages_delivered_total: 1,
    });
  });

  it('makes it a dead letter of what the last try failed of', async () => {
    context.delivery = { ...delivery, maxTries: 2 };
    const delivered = start();
    await pass(3000); // no answer to the first
    sendings[1]!.answer(failed('DELIVERY_FAILED'));
    await delivered;
    expect(publisher.confirmed[0]?.headers).toEqual({ 'x-dmr-reason': 'DELIVERY_FAILED', 'x-dmr-tries': 2 });
    expect(settled).toHaveBeenCalledWith('ack');
  });
});

describe('an agent that refuses the message', () => {
  it.each(['DECRYPTION_FAILED', 'SIGNATURE_VALIDATION_FAILED', 'INVALID_FORMAT'])(
    'is not asked again after %s: the message goes to validation-failures, then it is acked',
    async (type) => {
      const confirm = publisher.holdNext();
      const delivered = start();
      sendings[0]!.answer(failed(type));
      await pass(4000);
      expect(publisher.attempts).toHaveLength(1);
      expect(settled).not.toHaveBeenCalled();
      confirm();
      await delivered;
      expect(settled).toHaveBeenCalledWith('ack');
      expect(sendings).toHaveLength(1);
      expect(publisher.confirmed[0]).toMatchObject({ queue: 'validation-failures', messageId: envelope.id });
      expect(publisher.bodies()).toEqual([
        {
          id: envelope.id,
          errors: [{ type, message: 'why' }],
          receivedAt: expect.any(String) as unknown,
          message: envelope,
        },
      ]);
      expect(counted).toEqual({ [`dmr_validation_failures_total{type="${type}"}`]: 1 });
    },
  );

  it('may say so late: the refusal of an earlier try counts during the back-off', async () => {
    const delivered = start();
    await pass(2500);
    sendings[0]!.answer(failed('DECRYPTION_FAILED'));
    await delivered;
    expect(publisher.confirmed[0]?.queue).toBe('validation-failures');
    expect(sendings).toHaveLength(1);
  });
});

describe('an agent that answers something else', () => {
  it.each([null, undefined, true, 'ok', {}, [], { status: 'error' }, { status: 'OK' }, failed('SOMETHING')])(
    'never has %j taken for a delivery',
    async (answer) => {
      context.delivery = { ...delivery, maxTries: 2 };
      const delivered = start();
      sendings[0]!.answer(answer);
      await pass(1000);
      sendings[1]!.answer(answer);
      await delivered;
      expect(publisher.confirmed.map(({ queue }) => queue)).toEqual([DLQ]);
      expect(publisher.confirmed[0]?.headers).toEqual({ 'x-dmr-reason': 'BAD_ACK', 'x-dmr-tries': 2 });
      expect(counted).not.toHaveProperty('dmr_messages_delivered_total');
    },
  );
});

describe('a body that is no message', () => {
  it.each(['', '{', 'text', 'null', '1', '"text"', '[]', Buffer.from([0xff, 0xfe])])(
    'is dead-lettered at once and never sent: %j',
    async (content) => {
      const message = consumed(content);
      await start(message);
      expect(sendings).toEqual([]);
      expect(publisher.confirmed).toEqual([
        {
          queue: DLQ,
          body: message.content,
          messageId: envelope.id,
          headers: { 'x-dmr-reason': 'UNPARSEABLE', 'x-dmr-tries': 0 },
        },
      ]);
      expect(settled).toHaveBeenCalledWith('ack');
    },
  );

  it('is told from a message that cannot be sent, which is dead-lettered at once as well', async () => {
    context.send = () => {
      throw new RangeError('Maximum call stack size exceeded');
    };
    const message = consumed();
    await start(message);
    const headers = { 'x-dmr-reason': 'UNSENDABLE', 'x-dmr-tries': 0 };
    expect(publisher.confirmed).toEqual([{ queue: DLQ, body: message.content, messageId: envelope.id, headers }]);
    expect(settled).toHaveBeenCalledWith('ack');
  });

  it('needs no id', async () => {
    const message = consumed('{');
    message.properties.messageId = undefined;
    await start(message);
    expect(publisher.confirmed[0]?.messageId).toBe('');
  });
});

describe('a consumer that goes', () => {
  it('keeps the message while it waits for an answer', async () => {
    const delivered = start();
    await pass(500);
    consumer.abort();
    await delivered;
    expect(settled).toHaveBeenCalledWith('keep');
    expect(sendings).toHaveLength(1);
    expect(publisher.attempts).toEqual([]);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('keeps the message in the pause between two tries', async () => {
    const delivered = start();
    await pass(2500);
    consumer.abort();
    await delivered;
    expect(settled).toHaveBeenCalledWith('keep');
    expect(sendings).toHaveLength(1);
  });

  it('keeps the message in the last try, too: it is not dead', async () => {
    context.delivery = { ...delivery, maxTries: 1 };
    const delivered = start();
    consumer.abort();
    await delivered;
    expect(settled).toHaveBeenCalledWith('keep');
    expect(publisher.attempts).toEqual([]);
  });

  it('sends nothing when it was gone before', async () => {
    consumer.abort();
    await start();
    expect(sendings).toEqual([]);
    expect(settled).toHaveBeenCalledWith('keep');
  });

  it('keeps what is no message as well', async () => {
    consumer.abort();
    await start(consumed('{'));
    expect(settled).toHaveBeenCalledWith('keep');
    expect(publisher.attempts).toEqual([]);
  });

  it('keeps the message when its answer comes at the same moment', async () => {
    const delivered = start();
    sendings[0]!.answer(OK);
    consumer.abort();
    await delivered;
    expect(settled).toHaveBeenCalledWith('keep');
  });
});

describe('putting a message away', () => {
  beforeEach(() => {
    // Pauses of a quarter of a second between the attempts, in real time.
    jest.useRealTimers();
    context.delivery = { ...delivery, maxTries: 1 };
    context.send = (sent, answer) => {
      sendings.push({ envelope: sent, answer, at: 0 });
      answer(failed('DELIVERY_FAILED'));
    };
  });

  it('goes on until the broker confirms, without another try to deliver', async () => {
    publisher.failNext(BROKER_GONE, BROKER_GONE);
    await start();
    expect(publisher.attempts).toHaveLength(3);
    expect(publisher.confirmed).toHaveLength(1);
    expect(settled).toHaveBeenCalledWith('ack');
    expect(sendings).toHaveLength(1);
    expect(log.at('warn').filter((text) => text.includes('waits to be put away'))).toHaveLength(2);
    expect(counted).toEqual({ 'dmr_messages_dead_lettered_total{reason="DELIVERY_FAILED"}': 1 });
  });

  it('declares the queue that is missing', async () => {
    publisher.failNext(new UnroutableError(DLQ));
    await start();
    expect(context.declare).toHaveBeenCalledTimes(1);
    expect(publisher.confirmed.map(({ queue }) => queue)).toEqual([DLQ]);
  });

  it('declares validation-failures when that is missing, and survives that it cannot', async () => {
    context.send = (_sent, answer) => answer(failed('DECRYPTION_FAILED'));
    context.declare = jest.fn(() => Promise.reject(BROKER_GONE));
    publisher.failNext(new UnroutableError('validation-failures'));
    await start();
    expect(context.declare).toHaveBeenCalledTimes(1);
    expect(publisher.confirmed.map(({ queue }) => queue)).toEqual(['validation-failures']);
    expect(counted).toEqual({ 'dmr_validation_failures_total{type="DECRYPTION_FAILED"}': 1 });
  });

  it('ends without an ack when the consumer goes meanwhile', async () => {
    publisher.failNext(...Array<Error>(100).fill(BROKER_GONE));
    const delivered = start();
    while (publisher.attempts.length === 0) await new Promise(setImmediate);
    consumer.abort();
    await delivered;
    expect(settled).toHaveBeenCalledWith('keep');
    expect(publisher.confirmed).toEqual([]);
  });

  it('waits for the confirm of a dead letter before the ack', async () => {
    const confirm = publisher.holdNext();
    const delivered = start();
    while (publisher.attempts.length === 0) await new Promise(setImmediate);
    expect(settled).not.toHaveBeenCalled();
    confirm();
    await delivered;
    expect(settled).toHaveBeenCalledWith('ack');
  });
});

it('logs ids and never a payload', async () => {
  context.delivery = { ...delivery, maxTries: 2 };
  const delivered = start();
  await pass(60_000);
  await delivered;
  expect(log.lines.length).toBeGreaterThan(2);
  for (const line of log.lines) expect(line.context).toMatchObject({ messageId: envelope.id });
  expect(JSON.stringify(log.lines)).not.toContain('sealed');
});
