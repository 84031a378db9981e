import { AgentDirectory } from '../../../lib/agents/directory';
import { UnroutableError } from '../../../lib/amqp/publish-errors';
import { FinalError, RetryableError } from '../../../lib/errors';
import { accept, type AcceptContext } from '../../../lib/router/accept';
import { FailureLimit } from '../../../lib/router/failure-limit';
import { RoutingEvents } from '../../../lib/telemetry/routing-events';
import { judgeEnvelope } from '../../helpers/deployed-server';
import vectors from '../../vectors/envelope.json';
import type { EnvelopeVectors } from '../../vectors/envelope-cases';
import { countingMetrics, FakePublisher, RecordingLog } from '../fakes';
import { noTracing } from '../../../lib/telemetry/tracing';

interface Stored {
  receivedAt: string;
}

interface FailureRecord extends Stored {
  id: string;
  errors: { type: string; message: string }[];
  message: unknown;
}

const { known, authenticatedAs, vectors: all } = vectors as EnvelopeVectors;
const valid = all[0]!.message as Record<string, unknown>;
const recipientId = valid.recipientId as string;

let publisher: FakePublisher;
let log: RecordingLog;
let counted: Record<string, number>;
let declared: string[];
let context: AcceptContext;

beforeEach(() => {
  const counting = countingMetrics(known.map(({ id }) => id));
  const directory = new AgentDirectory();
  publisher = new FakePublisher();
  log = new RecordingLog();
  counted = counting.counted;
  declared = [];
  directory.replace(
    known.map(({ id, name }) => ({ id, name, authenticationCertificate: '', createdAt: '', updatedAt: '' })),
  );
  context = {
    directory,
    publisher: publisher.asPublisher,
    declareAgent: (id) => Promise.resolve(void declared.push(id)),
    declareFailures: () => Promise.resolve(void declared.push('validation-failures')),
    confirmTimeoutMs: 5000,
    maxBytes: 100_000,
    failures: new FailureLimit(10, counting.metrics, log),
    tracing: noTracing,
    events: new RoutingEvents(counting.metrics, log),
    log,
  };
});

const acceptMessage = (message: unknown, agentId = authenticatedAs) => accept(context, agentId, message);

/** What was put into validation-failures, if anything. */
function failures(): FailureRecord[] {
  return publisher.bodies().filter((_, index) => publisher.confirmed[index]?.queue === 'validation-failures') as never;
}

const BROKER_GONE = new RetryableError('BROKER_UNAVAILABLE', 'RabbitMQ did not confirm; send it again');

describe('the context of a trace', () => {
  const [{ message } = { message: {} }] = all.filter(({ ack }) => ack.status === 'ok');
  const trace = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', tracestate: 'a=1' };

  it('is stored with the message, and beside it', async () => {
    expect(await acceptMessage({ ...(message as object), ...trace })).toEqual({ status: 'ok' });
    expect(publisher.attempts).toMatchObject([{ headers: trace }]);
    expect(publisher.bodies()).toMatchObject([trace]);
  });

  it.each([{ traceparent: 'c4n4ry' }, { traceparent: { a: 1 }, tracestate: 'a=1' }, { tracestate: 'a=1' }])(
    'is left out when it is %j, which is no error',
    async (odd) => {
      expect(await acceptMessage({ ...(message as object), ...odd })).toEqual({ status: 'ok' });
      expect(publisher.attempts[0]?.headers).toBeUndefined();
      expect(publisher.bodies()[0]).not.toHaveProperty('traceparent');
      expect(publisher.bodies()[0]).not.toHaveProperty('tracestate');
    },
  );
});

describe('envelope.json', () => {
  it.each(all.map((vector) => [vector.name, vector] as const))('%s', async (_name, { message, ack, errorTypes }) => {
    const answer = await acceptMessage(message);
    expect(answer).toMatchObject(ack);
    if (ack.status === 'error') expect(Object.keys(answer)).toEqual(['status', 'error']);
    const types = failures().flatMap(({ errors }) => errors.map(({ type }) => type));
    expect(types.sort()).toEqual((errorTypes ?? []).toSorted());
    expect(publisher.confirmed.map(({ queue }) => queue)).toEqual([
      errorTypes ? 'validation-failures' : (message as { recipientId: string }).recipientId,
    ]);
  });

  it('has the answers of a deployed server, but for the senders it does not compare', async () => {
    const ids = new Set(known.map(({ id }) => id));
    for (const { message, acceptedByDeployedServer } of all) {
      if (acceptedByDeployedServer) continue;
      const error = judgeEnvelope(message, ids)?.ackError;
      expect(await acceptMessage(message)).toEqual(error === undefined ? { status: 'ok' } : { status: 'error', error });
    }
  });
});

describe('a message that is taken', () => {
  it('lies in the queue of its recipient as it came, with receivedAt of the server', async () => {
    const message = { ...valid, receivedAt: '1999-01-01T00:00:00.000Z', extra: { deep: [1, null, 'õ'] } };
    const before = new Date().toISOString();
    await acceptMessage(message);
    const [stored] = publisher.bodies() as [Stored];
    expect(stored).toEqual({ ...message, receivedAt: stored.receivedAt });
    expect(stored.receivedAt >= before && stored.receivedAt <= new Date().toISOString()).toBe(true);
    expect(publisher.confirmed[0]).toMatchObject({ queue: recipientId, messageId: valid.id });
  });

  it('is answered after the confirm and not before', async () => {
    const confirm = publisher.holdNext();
    const answered = jest.fn();
    const answer = acceptMessage(valid).then(answered);
    // All that could happen without the confirm happens in this turn.
    await new Promise(setImmediate);
    expect(publisher.attempts).toHaveLength(1);
    expect(answered).not.toHaveBeenCalled();
    confirm();
    await answer;
    expect(answered).toHaveBeenCalledWith({ status: 'ok' });
    expect(counted).toEqual({ [`dmr_messages_accepted_total{agent="${authenticatedAs}"}`]: 1 });
  });

  it('makes the queue of a known recipient exist when there is none, and goes there', async () => {
    publisher.failNext(new UnroutableError(recipientId));
    await expect(acceptMessage(valid)).resolves.toEqual({ status: 'ok' });
    expect(declared).toEqual([recipientId]);
    expect(publisher.confirmed).toHaveLength(1);
  });
});

describe('a message that cannot be taken now', () => {
  it.each([
    ['the broker is away', [BROKER_GONE], 'BROKER_UNAVAILABLE'],
    ['the queue is gone again', [new UnroutableError('q'), new UnroutableError('q')], 'QUEUE_MISSING'],
    ['it is away after the queue was declared', [new UnroutableError('q'), BROKER_GONE], 'BROKER_UNAVAILABLE'],
  ])('is answered with the reason when %s, and filed nowhere', async (_why, errors, code) => {
    publisher.failNext(...errors);
    await expect(acceptMessage(valid)).resolves.toEqual({
      status: 'error',
      error: errors.at(-1)?.message,
      retryable: true,
    });
    expect(publisher.confirmed).toEqual([]);
    expect(counted).toEqual({ [`dmr_messages_refused_total{reason="${code}"}`]: 1 });
  });

  it('is answered with the reason when the queue cannot be declared', async () => {
    publisher.failNext(new UnroutableError('q'));
    context.declareAgent = () => Promise.reject(BROKER_GONE);
    await expect(acceptMessage(valid)).resolves.toEqual({
      status: 'error',
      error: BROKER_GONE.message,
      retryable: true,
    });
  });

  it('is answered without detail when the reason is a bug, which the log tells', async () => {
    publisher.failNext(new TypeError('x is not a function'));
    await expect(acceptMessage(valid)).resolves.toEqual({
      status: 'error',
      error: 'Internal error, send it again',
      retryable: true,
    });
    expect(log.at('error')).toEqual(['accepting a message failed: x is not a function']);
  });
});

describe('a message that is refused', () => {
  it('lies in validation-failures as it came, with what was wrong', async () => {
    const message = { ...valid, type: 'x', extra: [1] };
    await acceptMessage(message);
    const [record] = failures();
    expect(record).toEqual({
      id: valid.id,
      errors: [{ type: 'INVALID_FORMAT', message: expect.stringContaining("'type'") as string }],
      receivedAt: new Date(record!.receivedAt).toISOString(),
      message,
    });
    expect(counted).toEqual({
      'dmr_messages_refused_total{reason="INVALID_FORMAT"}': 1,
      'dmr_validation_failures_total{type="INVALID_FORMAT"}': 1,
    });
  });

  it.each([undefined, null, 1, 'text', [1], {}, { id: '' }, { id: 7 }, { id: 'x'.repeat(65) }])(
    'gets an id of ours when it has none of a sane size: %j',
    async (message) => {
      await acceptMessage(message);
      expect(failures()[0]?.id).toMatch(/^[0-9a-f-]{36}$/);
      expect(publisher.confirmed[0]?.messageId).toBe(failures()[0]?.id);
    },
  );

  it('keeps the id it claims, short of a UUID', async () => {
    await acceptMessage({ id: 'my-id' });
    expect(failures()[0]?.id).toBe('my-id');
  });

  it('makes validation-failures exist when there is none, and lies there', async () => {
    publisher.failNext(new UnroutableError('validation-failures'));
    await expect(acceptMessage({})).resolves.toMatchObject({ status: 'error' });
    expect(declared).toEqual(['validation-failures']);
    expect(failures()).toHaveLength(1);
  });

  it('is one that nests too deeply to be printed, and is filed without its content', async () => {
    let deep: unknown = 'x';
    for (let level = 0; level < 20_000; level++) deep = [deep];
    const answer = await acceptMessage({ ...valid, deep });
    expect(answer).toEqual({ status: 'error', error: 'Message validation failed' });
    expect(failures()).toMatchObject([{ id: valid.id, errors: [{ type: 'UNKNOWN' }], message: null }]);
  });

  it('is one that is larger than the limit, as it would be stored', async () => {
    await acceptMessage(valid);
    const size = JSON.stringify(publisher.bodies()[0]).length;
    context.maxBytes = size;
    await expect(acceptMessage(valid)).resolves.toEqual({ status: 'ok' });
    context.maxBytes = size - 1;
    const error = `The message is too large: at most ${size - 1} bytes`;
    await expect(acceptMessage(valid)).resolves.toEqual({ status: 'error', error });
    expect(failures()).toMatchObject([{ id: valid.id, errors: [{ type: 'INVALID_FORMAT', message: error }] }]);
  });

  it('is filed as null when it is nothing at all', async () => {
    await acceptMessage(undefined);
    expect(failures()[0]).toHaveProperty('message', null);
  });

  it('is refused all the same when it cannot be filed', async () => {
    publisher.failNext(BROKER_GONE);
    const message = { ...valid, type: 'x' };
    await expect(acceptMessage(message)).resolves.toEqual({ status: 'error', error: 'Validation failed' });
    expect(log.at('error')).toEqual([expect.stringContaining('validation-failures')]);
    expect(JSON.stringify(log.lines)).not.toContain(valid.payload);
    expect(counted).toEqual({ 'dmr_messages_refused_total{reason="INVALID_FORMAT"}': 1 });
  });

  it('is one from a sender that CentOps listed until a moment ago', async () => {
    context.directory.patch([{ ...context.directory.get(authenticatedAs)!, deleted: true }]);
    const error = `Sender agent with ID ${authenticatedAs} not found`;
    await expect(acceptMessage(valid)).resolves.toEqual({ status: 'error', error });
  });

  it('is one under the name of another agent, known or not', async () => {
    const error = `Sender agent with ID ${authenticatedAs} is not the authenticated agent`;
    await expect(acceptMessage(valid, recipientId)).resolves.toEqual({ status: 'error', error });
    await expect(acceptMessage(valid, 'nobody')).resolves.toEqual({ status: 'error', error });
  });
});

describe('the log', () => {
  it('has the ids of a message and never its payload', async () => {
    await acceptMessage(valid);
    await acceptMessage({ ...valid, recipientId: authenticatedAs, senderId: recipientId });
    publisher.failNext(new FinalError('X', 'x'));
    await acceptMessage(valid);
    expect(log.lines).toHaveLength(3);
    for (const line of log.lines) expect(line.context).toMatchObject({ messageId: valid.id });
    expect(JSON.stringify(log.lines)).not.toContain(valid.payload);
  });
});
