import { once } from 'node:events';
import { dlqName, VALIDATION_FAILURES } from '../../lib/amqp/topology';
import { startCentOps, type CentOps } from '../helpers/centops';
import { DeployedAgent, NO_ANSWER, type DeployedAgentOptions, type Envelope } from '../helpers/deployed-agent';
import { makeIdentity } from '../helpers/keys';
import { startServerNode, type ServerNode } from '../helpers/mesh';
import { Queues } from '../helpers/queues';
import { useVhost } from '../helpers/rabbitmq';

const { amqp } = useVhost();

const TRIES = 3;
const RETRY_DELAY_MS = 100;
const env = {
  AGENT_LIST_GRACE_MS: '0',
  MESSAGE_DELIVERY_MAX_TRIES: String(TRIES),
  MESSAGE_DELIVERY_TIMEOUT_MS: '300',
  MESSAGE_RETRY_DELAY_MS: String(RETRY_DELAY_MS),
  MESSAGE_RETRY_DELAY_MAX_MS: '200',
};

const refusal = (...types: unknown[]) => ({
  status: 'error',
  errors: types.map((type) => ({ type, message: `because of ${String(type)}` })),
});

describe("what becomes of a message after its recipient's answer", () => {
  const tax = makeIdentity('Tax Office');
  const police = makeIdentity('Police');
  const dlq = dlqName(police.id);
  const queues = new Queues(amqp);
  let centOps: CentOps;
  let server: ServerNode;
  let sender: DeployedAgent;
  let recipient: DeployedAgent;

  beforeAll(async () => {
    centOps = await startCentOps([tax, police]);
    server = await startServerNode(amqp, centOps.url, { env });
    sender = await (await DeployedAgent.start({ url: server.url, identity: tax })).ready();
  });

  afterAll(async () => {
    sender?.close();
    await server?.stop();
    await centOps?.close();
    await queues.close();
  });

  afterEach(async () => {
    recipient.close();
    for (const queue of [police.id, dlq, VALIDATION_FAILURES]) await queues.drain(queue);
  });

  async function login(options: Partial<DeployedAgentOptions> = {}): Promise<void> {
    recipient = await (await DeployedAgent.start({ url: server.url, identity: police, ...options })).ready();
  }

  /** Sends one message; returns it as it lies in the queue. */
  async function send(payload: unknown = 'a question'): Promise<Envelope> {
    expect(await sender.send(police.id, payload)).toEqual({ status: 'ok' });
    const receivedAt = expect.any(String) as string;
    return { ...(sender.sent.at(-1) as Envelope), receivedAt };
  }

  /** What is in each queue once the recipient is gone, and with it what it had not acknowledged. */
  async function leftovers() {
    recipient.close();
    const queue = await queues.leftAfterConsumer(police.id);
    return { queue, dlq: await queues.drain(dlq), failures: await queues.drain(VALIDATION_FAILURES) };
  }

  const nothing = { queue: [], dlq: [], failures: [] };

  async function deadLettered(envelope: Envelope, reason: string): Promise<void> {
    const [letter] = await queues.waitFor(dlq, 1);
    const headers = expect.objectContaining({ 'x-dmr-reason': reason, 'x-dmr-tries': TRIES }) as Record<
      string,
      unknown
    >;
    expect(letter).toEqual({ body: envelope, headers, messageId: envelope.id, persistent: true });
    expect(recipient.messages.map((message) => message.envelope)).toEqual(Array<Envelope>(TRIES).fill(envelope));
    expect(await leftovers()).toEqual(nothing);
  }

  describe('ok', () => {
    it('takes it out of the queue, though the recipient leaves right behind it', async () => {
      await login();
      const envelope = await send({ chat: 1 });
      await recipient.until(({ messages }) => messages[0]?.answer !== undefined);
      expect(recipient.messages).toEqual([{ envelope, opened: { chat: 1 }, answer: { status: 'ok' } }]);
      expect(await leftovers()).toEqual(nothing);
    });
  });

  describe('a validation error', () => {
    it.each([
      'DECRYPTION_FAILED',
      'SIGNATURE_VALIDATION_FAILED',
      'INVALID_FORMAT',
      'INVALID_SENDER_ID',
      'INVALID_RECIPIENT_ID',
      'INVALID_MESSAGE_TYPE',
      'INVALID_TIMESTAMP',
      'UNKNOWN',
    ])('%s moves it to validation-failures at once', async (type) => {
      await login();
      const answer = refusal(type);
      recipient.answerWith(answer);
      const envelope = await send();
      const [failure] = await queues.waitFor(VALIDATION_FAILURES, 1);
      const receivedAt = expect.any(String) as unknown;
      expect(failure).toMatchObject({ messageId: envelope.id, persistent: true });
      expect(failure?.body).toEqual({ id: envelope.id, errors: answer.errors, receivedAt, message: envelope });
      expect(await leftovers()).toEqual(nothing);
      expect(recipient.messages).toHaveLength(1);
    });

    it('is kept with all others of the answer', async () => {
      await login();
      const answer = refusal('INVALID_FORMAT', 'INVALID_FORMAT', 'INVALID_TIMESTAMP');
      recipient.answerWith(answer);
      await send();
      const [failure] = await queues.waitFor(VALIDATION_FAILURES, 1);
      expect(failure?.body).toMatchObject({ errors: answer.errors });
      expect(await leftovers()).toEqual(nothing);
    });

    it('is kept even when somebody deleted the queue for it', async () => {
      await login();
      recipient.answerWith(refusal('DECRYPTION_FAILED'));
      await queues.remove(VALIDATION_FAILURES);
      await send();
      expect(await queues.waitFor(VALIDATION_FAILURES, 1)).toHaveLength(1);
      expect(await leftovers()).toEqual(nothing);
    });
  });

  describe('a body that no server of ours put there', () => {
    const nested = '['.repeat(50_000) + ']'.repeat(50_000);
    it.each([
      ['no JSON', 'no JSON', 'UNPARSEABLE'],
      ['nothing', '', 'UNPARSEABLE'],
      ['half of an object', '{"id":', 'UNPARSEABLE'],
      ['null', 'null', 'UNPARSEABLE'],
      ['a text', '"text"', 'UNPARSEABLE'],
      ['a list', '[{}]', 'UNPARSEABLE'],
      ['an object too deep to be sent', `{"nested":${nested}}`, 'UNSENDABLE'],
    ])('%s is dead-lettered without a try, and what is behind it arrives', async (_name, body, reason) => {
      await queues.put(police.id, body);
      const envelope = await send();
      await login();
      await recipient.until(({ messages }) => messages[0]?.answer !== undefined);
      const [letter] = await queues.waitFor(dlq, 1);
      expect(letter).toMatchObject({ headers: { 'x-dmr-reason': reason, 'x-dmr-tries': 0 }, persistent: true });
      expect(recipient.messages.map((message) => message.envelope)).toEqual([envelope]);
      expect(await leftovers()).toEqual(nothing);
    });

    it('an object that is no envelope is for the recipient to judge', async () => {
      await login();
      await queues.put(police.id, { hello: 'world' });
      const [failure] = await queues.waitFor(VALIDATION_FAILURES, 1);
      expect(failure?.body).toMatchObject({ errors: [{ type: 'DECRYPTION_FAILED' }], message: { hello: 'world' } });
      expect(await leftovers()).toEqual(nothing);
    });
  });

  describe('a socket that is gone while messages are in flight', () => {
    it.each(['logs in anew', 'loses the connection below Socket.IO'])('%s: they come again, in order', async (how) => {
      await login({ reconnectDelayMs: 50 });
      recipient.answerWith(NO_ANSWER);
      const envelopes: Envelope[] = [];
      for (let number = 1; number <= 5; number++) envelopes.push(await send(number));
      await recipient.until(({ messages }) => messages.length >= 5);
      if (how === 'logs in anew') {
        recipient.close();
        await login();
      } else {
        recipient.messages.splice(0);
        recipient.answerNormally();
        recipient.dropConnection();
      }
      await recipient.until(({ messages }) => messages.filter(({ answer }) => answer !== undefined).length >= 5);
      expect(recipient.messages.map(({ envelope }) => envelope)).toEqual(envelopes);
      expect(await leftovers()).toEqual(nothing);
    });
  });

  describe('a failure that may pass', () => {
    it('DELIVERY_FAILED is tried again with longer and longer waits, then dead-lettered', async () => {
      const arrivals: number[] = [];
      const chatbotFails = () => {
        arrivals.push(performance.now());
        throw new Error('the chatbot is down');
      };
      await login({ onMessage: chatbotFails });
      await deadLettered(await send(), 'DELIVERY_FAILED');
      const [first = 0, second = 0, third = 0] = arrivals;
      // Jitter takes up to half of a wait; a timer may be a millisecond early.
      expect(second - first).toBeGreaterThan(RETRY_DELAY_MS / 2 - 2);
      expect(third - second).toBeGreaterThan(RETRY_DELAY_MS - 2);
    });

    it('DELIVERY_FAILED beside others is one', async () => {
      await login();
      recipient.answerWith(refusal('DECRYPTION_FAILED', 'DELIVERY_FAILED'));
      await deadLettered(await send(), 'DELIVERY_FAILED');
    });

    it('no answer is tried again, then dead-lettered', async () => {
      await login();
      recipient.answerWith(NO_ANSWER);
      await deadLettered(await send(), 'NO_ACK');
    });

    it('is over when a later try is acknowledged', async () => {
      let failures = 0;
      const failsOnce = () => {
        failures += 1;
        if (failures === 1) throw new Error('the chatbot is down');
      };
      await login({ onMessage: failsOnce });
      const envelope = await send();
      await recipient.until(({ messages }) => messages[1]?.answer !== undefined);
      expect(recipient.messages.map((message) => message.envelope)).toEqual([envelope, envelope]);
      expect(await leftovers()).toEqual(nothing);
    });

    it('is over when the first try is acknowledged late, after the second was sent', async () => {
      const release = new AbortController();
      let calls = 0;
      await login({
        onMessage: async () => {
          calls += 1;
          if (calls === 1) await once(release.signal, 'abort');
          else await new Promise(() => undefined);
        },
      });
      await send();
      await recipient.until(({ messages }) => messages.length === 2);
      release.abort();
      await recipient.until(({ messages }) => messages[0]?.answer !== undefined);
      expect(await leftovers()).toEqual(nothing);
      expect(recipient.messages).toHaveLength(2);
    });

    it('ends in the dead-letter queue even when somebody deleted it', async () => {
      await login();
      recipient.answerWith(refusal('DELIVERY_FAILED'));
      await queues.remove(dlq);
      await deadLettered(await send(), 'DELIVERY_FAILED');
    });

    it('of one message keeps no other waiting', async () => {
      const failsForOne = (opened: unknown) => {
        if (opened === 'bad') throw new Error('the chatbot is down');
      };
      await login({ onMessage: failsForOne });
      const bad = await send('bad');
      const good = await send('good');
      await recipient.until(({ messages }) => messages.some(({ envelope }) => envelope.id === good.id));
      expect(recipient.messages.filter(({ envelope }) => envelope.id === bad.id).length).toBeLessThan(TRIES);
      await queues.waitFor(dlq, 1);
      expect(await leftovers()).toEqual(nothing);
    });
  });

  describe('an answer of no known form is never taken for ok', () => {
    const decryptionFailed = { type: 'DECRYPTION_FAILED', message: '' };
    const answers: unknown[] = [
      null,
      undefined,
      'ok',
      '',
      0,
      true,
      [],
      ['ok'],
      [{ status: 'ok' }],
      {},
      { status: 'ok?' },
      { status: 'OK' },
      { status: true },
      { status: ['ok'] },
      { status: 'error' },
      { status: 'error', error: 'the form of the server' },
      { status: 'error', errors: [] },
      { status: 'error', errors: null },
      { status: 'error', errors: 'DECRYPTION_FAILED' },
      { status: 'error', errors: ['DECRYPTION_FAILED'] },
      { status: 'error', errors: [null] },
      { status: 'error', errors: [{ type: 'OF_THE_FUTURE', message: '' }] },
      { status: 'error', errors: [decryptionFailed, { type: 'OF_THE_FUTURE', message: '' }] },
      { status: 'error', errors: Array(51).fill(decryptionFailed) },
      { errors: [decryptionFailed] },
    ];
    const named = answers.map((answer) => ({ name: String(JSON.stringify(answer)).slice(0, 100), answer }));

    it.each(named)('$name', async ({ answer }) => {
      await login();
      recipient.answerWith(answer);
      await deadLettered(await send(), 'BAD_ACK');
    });
  });
});
