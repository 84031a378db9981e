import { UnroutableError } from '../../../lib/amqp/publish-errors';
import { AGENT, BROKER_GONE, consumed, delivery, DLQ, envelope, failed, OK, setUp } from './delivery';

type Fixture = ReturnType<typeof setUp>;

let counted: Fixture['counted'];
let publisher: Fixture['publisher'];
let log: Fixture['log'];
let sendings: Fixture['sendings'];
let consumer: Fixture['consumer'];
let settled: Fixture['settled'];
let context: Fixture['context'];
let start: Fixture['start'];

beforeEach(() => {
  jest.useFakeTimers();
  ({ counted, publisher, log, sendings, consumer, settled, context, start } = setUp());
});

afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

/** Lets time pass, and everything happen that is due. */
const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

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
          headers: { 'x-dmr-reason': 'UNPARSEABLE', 'x-dmr-tries': 0, 'x-dmr-dead-at': expect.any(String) as string },
        },
      ]);
      expect(settled).toHaveBeenCalledWith('ack');
    },
  );

  it('is told from a message that cannot be sent, which is dead-lettered at once as well', async () => {
    const message = consumed(`{"nested":${'['.repeat(50_000)}${']'.repeat(50_000)}}`);
    await start(message);
    const headers = { 'x-dmr-reason': 'UNSENDABLE', 'x-dmr-tries': 0, 'x-dmr-dead-at': expect.any(String) as string };
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
    consumer.end();
    await delivered;
    expect(settled).toHaveBeenCalledWith('keep');
    expect(sendings).toHaveLength(1);
    expect(publisher.attempts).toEqual([]);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('keeps the message in the pause between two tries', async () => {
    const delivered = start();
    await pass(2500);
    consumer.end();
    await delivered;
    expect(settled).toHaveBeenCalledWith('keep');
    expect(sendings).toHaveLength(1);
  });

  it('keeps the message in the last try, too: it is not dead', async () => {
    context.delivery = { ...delivery, maxTries: 1 };
    const delivered = start();
    consumer.end();
    await delivered;
    expect(settled).toHaveBeenCalledWith('keep');
    expect(publisher.attempts).toEqual([]);
  });

  it('sends nothing when it was gone before', async () => {
    consumer.end();
    await start();
    expect(sendings).toEqual([]);
    expect(settled).toHaveBeenCalledWith('keep');
  });

  it('keeps what is no message as well', async () => {
    consumer.end();
    await start(consumed('{'));
    expect(settled).toHaveBeenCalledWith('keep');
    expect(publisher.attempts).toEqual([]);
  });

  it('keeps the message when its answer comes at the same moment', async () => {
    const delivered = start();
    sendings[0]!.answer(OK);
    consumer.end();
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
      return true;
    };
  });

  it('goes on until the broker confirms, without another try to deliver', async () => {
    publisher.failNext(BROKER_GONE, BROKER_GONE);
    await start();
    expect(publisher.attempts).toHaveLength(3);
    expect(publisher.confirmed).toHaveLength(1);
    expect(settled).toHaveBeenCalledWith('ack');
    expect(sendings).toHaveLength(1);
    // What repeats is said once a minute.
    expect(log.at('warn').filter((text) => text.includes('waits to be put away'))).toHaveLength(1);
    expect(counted).toEqual({ [`dmr_messages_dead_lettered_total{agent="${AGENT}",reason="DELIVERY_FAILED"}`]: 1 });
  });

  it('declares the queue that is missing', async () => {
    publisher.failNext(new UnroutableError(DLQ));
    await start();
    expect(context.declare).toHaveBeenCalledTimes(1);
    expect(publisher.confirmed.map(({ queue }) => queue)).toEqual([DLQ]);
  });

  it('declares validation-failures when that is missing, and survives that it cannot', async () => {
    context.send = (_sent, answer) => {
      answer(failed('DECRYPTION_FAILED'));
      return true;
    };
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
    consumer.end();
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
