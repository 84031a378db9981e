import type { SendDown } from '../../../lib/router/deliver';
import { AGENT, consumed, delivery, DLQ, envelope, failed, OK, setUp } from './delivery';

type Fixture = ReturnType<typeof setUp>;

let counted: Fixture['counted'];
let observed: Fixture['observed'];
let publisher: Fixture['publisher'];
let sendings: Fixture['sendings'];
let settled: Fixture['settled'];
let context: Fixture['context'];
let start: Fixture['start'];

beforeEach(() => {
  jest.useFakeTimers();
  jest.spyOn(Math, 'random').mockReturnValue(1); // the longest wait of each back-off
  ({ counted, observed, publisher, sendings, settled, context, start } = setUp());
});

afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

/** Lets time pass, and everything happen that is due. */
const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

const answering: SendDown = (_body, answer) => {
  answer(OK);
  return true;
};

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
    expect(counted).toEqual({ [`dmr_messages_delivered_total{agent="${AGENT}"}`]: 1 });
    expect(jest.getTimerCount()).toBe(0);
  });

  it('has its latency counted, unless the message was replayed', async () => {
    context.send = answering;
    await start(consumed(undefined, { 'x-dmr-replayed': 1 }));
    expect(observed.dmr_message_latency_seconds).toBeUndefined();
    await start();
    expect(observed.dmr_message_latency_seconds).toHaveLength(1);
  });

  it('is tried again where nothing could be sent, and that is not counted as sent', async () => {
    const { send } = context;
    let tries = 0;
    context.send = (body, answer) => (tries++ === 0 ? false : send(body, answer));
    const sent = jest.spyOn(context.events, 'sent');
    const delivered = start();
    await pass(3000); // a wait of 2 s for the ack, and a pause of 1 s
    sendings[0]!.answer(OK);
    await delivered;
    expect(tries).toBe(2);
    expect(sent.mock.calls.map(([, attempt]) => attempt)).toEqual([2]);
    expect(settled).toHaveBeenCalledWith('ack');
  });

  it('may answer within the very call', async () => {
    context.send = answering;
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
    expect(counted).toMatchObject({ [`dmr_messages_delivered_total{agent="${AGENT}"}`]: 1 });
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
      [`dmr_messages_retried_total{agent="${AGENT}",reason="NO_ACK"}`]: 9,
      [`dmr_messages_dead_lettered_total{agent="${AGENT}",reason="NO_ACK"}`]: 1,
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
        headers: { 'x-dmr-reason': 'NO_ACK', 'x-dmr-tries': 3, 'x-dmr-dead-at': expect.any(String) as string },
      },
    ]);
  });

  it('finds in its DLQ the headers of the trace, and none of an earlier replay but their number', async () => {
    context.delivery = { ...delivery, maxTries: 1 };
    const trace = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, tracestate: 'vendor=value' };
    const replay = { 'x-dmr-replayed': 2, 'x-dmr-replayed-at': '2026-11-20T10:00:00.000Z', 'x-delivery-count': 1 };
    const delivered = start(consumed(undefined, { ...trace, ...replay }));
    await pass(2000);
    await delivered;
    expect(publisher.confirmed[0]?.headers).toEqual({
      ...trace,
      'x-dmr-reason': 'NO_ACK',
      'x-dmr-tries': 1,
      'x-dmr-dead-at': expect.any(String) as string,
      'x-dmr-replayed': 2,
    });
  });

  it('is tried once when one try is all there is, and not waited for after it', async () => {
    context.delivery = { ...delivery, maxTries: 1 };
    const delivered = start();
    await pass(2000);
    await delivered;
    expect(sendings).toHaveLength(1);
    expect(publisher.confirmed[0]?.headers).toMatchObject({ 'x-dmr-reason': 'NO_ACK', 'x-dmr-tries': 1 });
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
      [`dmr_messages_retried_total{agent="${AGENT}",reason="DELIVERY_FAILED"}`]: 2,
      [`dmr_messages_delivered_total{agent="${AGENT}"}`]: 1,
    });
  });

  it('makes it a dead letter of what the last try failed of', async () => {
    context.delivery = { ...delivery, maxTries: 2 };
    const delivered = start();
    await pass(3000); // no answer to the first
    sendings[1]!.answer(failed('DELIVERY_FAILED'));
    await delivered;
    expect(publisher.confirmed[0]?.headers).toMatchObject({ 'x-dmr-reason': 'DELIVERY_FAILED', 'x-dmr-tries': 2 });
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
      expect(publisher.confirmed[0]?.headers).toMatchObject({ 'x-dmr-reason': 'BAD_ACK', 'x-dmr-tries': 2 });
      expect(counted).not.toHaveProperty([`dmr_messages_delivered_total{agent="${AGENT}"}`]);
    },
  );
});
