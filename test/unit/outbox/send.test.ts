import { createPrivateKey, createPublicKey, randomUUID } from 'node:crypto';
import { AgentDirectory } from '../../../lib/agents/directory';
import type { AgentConfig } from '../../../lib/config/types';
import { KeyRing } from '../../../lib/crypto/key-ring';
import { open } from '../../../lib/crypto/open';
import { RetryableError } from '../../../lib/errors';
import { Gate } from '../../../lib/gate';
import { HttpError } from '../../../lib/http/problem';
import { send, UnsettledError, type SendContext } from '../../../lib/outbox/send';
import type { OutgoingMessage } from '../../../lib/protocol/chat-message';
import { type Envelope, parseEnvelope } from '../../../lib/protocol/envelope';
import type { ServerAck } from '../../../lib/protocol/events';
import { openDeployed } from '../../helpers/deployed-agent';
import { type AgentIdentity, makeIdentity, toAgentRecord } from '../../helpers/keys';
import { countingMetrics, RecordingLog } from '../fakes';
import { noTracing } from '../../../lib/telemetry/tracing';

const SECRET = 'Mari Maasikas';

const [alpha, beta] = ['alpha', 'beta'].map(makeIdentity) as [AgentIdentity, AgentIdentity];

let log: RecordingLog;
let counted: Record<string, number>;
let transmitted: Envelope[];
let context: SendContext;

beforeEach(() => {
  const counting = countingMetrics();
  const directory = new AgentDirectory();
  directory.replace([alpha, beta].map(toAgentRecord));
  log = new RecordingLog();
  counted = counting.counted;
  transmitted = [];
  context = {
    config: { agentId: alpha.id, deliveryTimeoutMs: 1000 } as AgentConfig,
    keys: new KeyRing(alpha.privateKeyPem),
    directory,
    transmit: (envelope) => {
      transmitted.push(envelope);
      return Promise.resolve({ status: 'ok' });
    },
    uplink: new Gate(),
    metrics: counting.metrics,
    tracing: noTracing,
    log,
  };
  context.uplink.letThrough();
});

function message(recipientId = beta.id): OutgoingMessage {
  const chat = { id: randomUUID(), created: 'today' };
  const line = { id: randomUUID(), chatId: chat.id, authorTimestamp: 'now', authorRole: 'end-user', content: SECRET };
  const payload = { chat, messages: [line] };
  return { id: randomUUID(), recipientId, timestamp: '2026-11-20T10:00:00.000Z', type: 'ChatMessage', payload };
}

/** The server answers like this, whatever type says it should be. */
const answerWith = (ack: unknown) => (context.transmit = () => Promise.resolve(ack as ServerAck));

async function failureOf(sent: OutgoingMessage): Promise<HttpError> {
  const error: unknown = await send(context, sent).catch((thrown: unknown) => thrown);
  if (!(error instanceof HttpError)) throw new Error(`no HttpError: ${String(error)}`);
  expect(counted).toEqual({});
  return error;
}

describe('send', () => {
  it('hands a well-formed envelope to the server and is done with its ok', async () => {
    const sent = message();
    await send(context, sent);
    const [envelope] = transmitted as [Envelope];
    expect(parseEnvelope(envelope)).toEqual({ envelope });
    const { id, recipientId, timestamp, type } = sent;
    expect(envelope).toEqual({ id, recipientId, timestamp, type, senderId: alpha.id, payload: envelope.payload });
    expect(counted).toEqual({ dmr_messages_sent_total: 1 });
  });

  it('seals the payload for its recipient, bound to the envelope', async () => {
    const sent = message();
    await send(context, sent);
    const { payload } = transmitted[0]!;
    expect(payload).not.toContain(SECRET);
    const binding = { messageId: sent.id, senderId: alpha.id, recipientId: beta.id };
    const keys = [createPrivateKey(beta.privateKeyPem), createPublicKey(alpha.publicKeyPem)] as const;
    await expect(open(payload, binding, 'require', ...keys)).resolves.toEqual(sent.payload);
    await expect(openDeployed(payload, beta.privateKeyPem, alpha.publicKeyPem)).resolves.toEqual(sent.payload);
  });

  it('waits for the ack', async () => {
    let acknowledge: (ack: ServerAck) => void = () => undefined;
    const asked = new Promise<void>((resolve) => {
      context.transmit = () => {
        resolve();
        return new Promise((done) => (acknowledge = done));
      };
    });
    const done = jest.fn();
    const sending = send(context, message()).then(done);
    await asked;
    expect(done).not.toHaveBeenCalled();
    acknowledge({ status: 'ok' });
    await sending;
    expect(done).toHaveBeenCalled();
  });

  it('may write to the agent itself', async () => {
    await send(context, message(alpha.id));
    expect(transmitted).toHaveLength(1);
  });
});

describe('within its time, send', () => {
  const lost = () => Promise.reject(new RetryableError('UPLINK_LOST', 'lost'));
  const down = () => Promise.reject(new RetryableError('UPLINK_DOWN', 'down'));
  const busy = () => Promise.resolve<ServerAck>({ status: 'error', error: 'The broker is away', retryable: true });
  const ok = () => Promise.resolve<ServerAck>({ status: 'ok' });

  /** Each try is answered by the next of these, the last one for ever. */
  function script(...answers: (() => Promise<ServerAck>)[]): void {
    context.transmit = (envelope) => {
      transmitted.push(envelope);
      return (answers.length > 1 ? answers.shift()! : answers[0]!)();
    };
  }

  it('waits for the uplink', async () => {
    context.uplink.shut();
    const done = jest.fn();
    const sending = send(context, message()).then(done);
    await new Promise(setImmediate);
    expect(done).not.toHaveBeenCalled();
    context.uplink.letThrough();
    await sending;
    expect(transmitted).toHaveLength(1);
  });

  it.each([
    ['was lost with the connection', lost],
    ['found no connection', down],
    ['the server could not take just now', busy],
  ])('sends the very same envelope again when it %s', async (_what, first) => {
    script(first, ok);
    await send(context, message());
    expect(transmitted).toHaveLength(2);
    expect(transmitted[1]).toEqual(transmitted[0]);
    expect(counted).toEqual({ dmr_messages_sent_total: 1 });
  });

  it.each([
    ['504: the server may have it', [lost, busy], { status: 504, code: 'UPLINK_LOST' }],
    ['502 with what the server said', [busy], { status: 502, code: 'SERVER_REFUSED' }],
    ['502: nothing was ever sent', [down], { status: 502, code: 'UPLINK_DOWN' }],
    ['502 with what the server said, though it was gone in between', [busy, down], { code: 'SERVER_REFUSED' }],
  ])('tries until the time is over, and never longer, and says %s', async (_what, answers, expected) => {
    script(...answers);
    const ends: number[] = [];
    const answered = context.transmit;
    context.transmit = (envelope, timeoutMs) => {
      ends.push(performance.now() - started + timeoutMs);
      return answered(envelope, timeoutMs);
    };
    const started = performance.now();
    const error = await failureOf(message());
    expect(error).toMatchObject(expected);
    expect(error instanceof UnsettledError).toBe(error.code !== 'UPLINK_DOWN');
    expect(performance.now() - started).toBeGreaterThanOrEqual(990);
    // No try may end later; one that begins with the last of the time has a millisecond.
    expect(Math.max(...ends)).toBeLessThan(1000 + 50);
    expect(transmitted.length).toBeGreaterThan(1);
    expect(transmitted.length).toBeLessThan(13);
  });

  it('gives a try no more than the time that is left', async () => {
    const waits: number[] = [];
    context.transmit = (_envelope, timeoutMs) => {
      waits.push(timeoutMs);
      return waits.length > 1 ? ok() : lost();
    };
    await send(context, message());
    expect(waits[0]).toBeLessThanOrEqual(1000);
    expect(waits[1]).toBeLessThanOrEqual(900);
  });

  it('does not try again what is refused for good', async () => {
    script(() => Promise.resolve({ status: 'error', error: 'no', retryable: false }), ok);
    const error = await failureOf(message());
    expect(error).toMatchObject({ status: 502, code: 'SERVER_REFUSED' });
    expect(error).not.toBeInstanceOf(UnsettledError);
    expect(transmitted).toHaveLength(1);
  });
});

describe('send fails', () => {
  it('with 502 while the uplink is down, before anything is sealed', async () => {
    context.uplink.shut();
    expect(await failureOf(message(randomUUID()))).toMatchObject({ status: 502, code: 'UPLINK_DOWN' });
    expect(transmitted).toEqual([]);
  });

  it('with 503 before the agent list is there, not with 404', async () => {
    context.directory = new AgentDirectory();
    expect(await failureOf(message())).toMatchObject({ status: 503, code: 'AGENT_LIST_MISSING' });
  });

  it('with 404 for a recipient that is not listed', async () => {
    const recipientId = randomUUID();
    const error = await failureOf(message(recipientId));
    expect(error).toMatchObject({ status: 404, code: 'RECIPIENT_UNKNOWN' });
    expect(error.message).toContain(recipientId);
    expect(transmitted).toEqual([]);
  });

  it('with 502 and the reason when the server refuses', async () => {
    answerWith({ status: 'error', error: 'Recipient agent with ID x not found' });
    const error = await failureOf(message());
    expect(error).toMatchObject({ status: 502, code: 'SERVER_REFUSED' });
    expect(error.message).toBe('The DMR server refused the message: Recipient agent with ID x not found');
  });

  it.each([null, undefined, true, 'ok', {}, { status: 'OK' }, { status: 'error' }, { status: 'error', error: [1] }])(
    'with 502 for the ack %j',
    async (ack) => {
      answerWith(ack);
      const error = await failureOf(message());
      expect(error).toMatchObject({ status: 502, code: 'SERVER_REFUSED' });
      expect(error.message).toBe('The DMR server refused the message');
    },
  );

  it('with no more than a few lines of what the server says', async () => {
    answerWith({ status: 'error', error: 'x'.repeat(100_000) });
    expect((await failureOf(message())).message.length).toBeLessThan(600);
  });

  it.each([
    ['504 when no answer came in time', 'NO_ANSWER', 504],
    ['502 when the connection went in between', 'UPLINK_DOWN', 502],
  ])('with %s', async (_what, code, status) => {
    context.transmit = () => Promise.reject(new RetryableError(code, 'why'));
    expect(await failureOf(message())).toMatchObject({ status, code, message: 'why' });
  });

  it('with the error itself when it is nobody’s fault but ours', async () => {
    const bug = new TypeError('x is not a function');
    context.transmit = () => Promise.reject(bug);
    await expect(send(context, message())).rejects.toBe(bug);
    expect(log.lines.at(-1)?.context).toMatchObject({ code: 'INTERNAL' });
  });

  it('and the log says which message and why', async () => {
    answerWith({ status: 'error', error: 'no' });
    const sent = message();
    await failureOf(sent);
    const expected = { messageId: sent.id, recipientId: beta.id, code: 'SERVER_REFUSED' };
    expect(log.lines.at(-1)).toMatchObject({ level: 'warn', context: expected });
  });
});

it('logs no payload, sealed or open', async () => {
  await send(context, message());
  answerWith(null);
  await expect(send(context, message())).rejects.toBeInstanceOf(HttpError);
  expect(log.lines.length).toBeGreaterThan(2);
  for (const secret of [SECRET, transmitted[0]!.payload]) expect(JSON.stringify(log.lines)).not.toContain(secret);
});
