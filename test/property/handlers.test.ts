import { randomUUID } from 'node:crypto';
import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { AgentDirectory } from '../../lib/agents/directory';
import type { AgentConfig } from '../../lib/config/types';
import { receive } from '../../lib/inbox/receive';
import { ERROR_TYPES } from '../../lib/protocol/events';
import { accept, type AcceptContext } from '../../lib/router/accept';
import { deliver } from '../../lib/router/deliver';
import { FailureLimit } from '../../lib/router/failure-limit';
import { AgentStore } from '../../lib/store/agent-store';
import { RoutingEvents } from '../../lib/telemetry/routing-events';
import { startChatbot } from '../helpers/chatbot';
import { sealDeployed } from '../helpers/deployed-agent';
import { makeIdentity, toAgentRecord } from '../helpers/keys';
import { temporaryFolder } from '../helpers/temporary-folder';
import { countingMetrics, FakePublisher, RecordingLog } from '../unit/fakes';
import { receiveContext } from '../unit/inbox/receive-context';
import { consumed, DLQ, envelope as stored, setUp } from '../unit/router/delivery';
import { anyJson, anyText, anyValue, hostileName, mutantsOf, runs } from './arbitraries';
import { noTracing } from '../../lib/telemetry/tracing';

const [tax, police] = [makeIdentity('Tax Office'), makeIdentity('Police')];
const directory = new AgentDirectory();
directory.replace([tax, police].map(toAgentRecord));

/** In every mutant, as a citizen's words are; no log line may repeat it. */
const CANARY = 'mari.maasikas@example.ee';

jest.setTimeout(60_000);

type Fields = Record<string, unknown>;

interface FailureRecord {
  id: unknown;
  errors: { type: string; message: unknown }[];
  receivedAt: string;
}

/** Anything, and at times the id of an agent that is listed: the best of lies. */
const odd = fc.oneof({ arbitrary: anyValue, weight: 9 }, { arbitrary: fc.constant<unknown>(police.id), weight: 1 });

/** Runs a check on every mutant of a valid value. */
function forMutants(valid: unknown, count: number, holds: (mutant: unknown) => Promise<boolean>): Promise<void> {
  return fc.assert(
    fc.asyncProperty(odd, fc.oneof(hostileName, anyText), async (value, name) => {
      for (const mutant of mutantsOf(valid, value, name)) if (!(await holds(mutant))) return false;
      return true;
    }),
    runs(count),
  );
}

describe('a message on its way up', () => {
  const valid = {
    id: randomUUID(),
    senderId: tax.id,
    recipientId: police.id,
    type: 'ChatMessage',
    payload: CANARY,
    timestamp: '2026-11-20T10:00:00.000Z',
  };

  it('is answered ok and lies in the queue of its recipient, or is answered with an error and filed once', async () => {
    await forMutants(valid, 3000, async (mutant) => {
      const publisher = new FakePublisher();
      const log = new RecordingLog();
      const answer = await accept(contextOf(publisher, log), tax.id, mutant);
      const [publication, ...more] = publisher.confirmed;
      const body = publisher.bodies()[0] as Fields;
      if (!publication || more.length > 0 || log.at('error').length > 0) return false;
      if (JSON.stringify(log.lines).includes(CANARY)) return false;
      if (answer.status === 'ok')
        return body.senderId === tax.id && publication.queue === (mutant as Fields).recipientId;
      return publication.queue === 'validation-failures' && answer.error.length > 0 && isRecord(body);
    });
  });

  function contextOf(publisher: FakePublisher, log: RecordingLog): AcceptContext {
    const nothing = () => Promise.resolve();
    const { metrics } = countingMetrics();
    const events = new RoutingEvents(metrics, log);
    const declare = { declareAgent: nothing, declareFailures: nothing };
    const limits = { maxBytes: 1_000_000, failures: new FailureLimit(1_000_000, metrics, log) };
    return {
      directory,
      publisher: publisher.asPublisher,
      ...declare,
      ...limits,
      confirmTimeoutMs: 1000,
      tracing: noTracing,
      events,
      log,
    };
  }

  function isRecord(body: unknown): boolean {
    const { id, errors, receivedAt } = body as FailureRecord;
    const known = errors.length > 0 && errors.every((error) => ERROR_TYPES.has(error.type) && error.message);
    return known && typeof id === 'string' && id !== '' && !Number.isNaN(Date.parse(receivedAt));
  }
});

describe('what lies in the queue of an agent', () => {
  const run = async (content: Buffer, ack: unknown) => {
    const delivering = setUp();
    const { context, consumer, publisher, log } = delivering;
    const delivery = { ...context.delivery, maxTries: 1, ackTimeoutMs: 5 };
    const send = (body: Buffer, answer: (ack: unknown) => void) => {
      expect(isUtf8(body)).toBe(true);
      expect(JSON.parse(body.toString())).toEqual(JSON.parse(content.toString()));
      answer(ack);
      return true;
    };
    const settlement = await deliver({ ...context, delivery, send }, consumed(content), consumer);
    return { settlement, confirmed: publisher.confirmed, errors: log.at('error') };
  };

  it('is delivered, dead-lettered as it was or filed, whatever it is and whatever the agent answers', async () => {
    const content = fc.oneof(
      anyJson.map((json) => Buffer.from(json)),
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    );
    await fc.assert(
      fc.asyncProperty(content, anyValue, async (bytes, ack) => {
        const { settlement, confirmed, errors } = await run(bytes, ack);
        const put = confirmed.map(({ queue, body }) => queue === 'validation-failures' || body.equals(bytes));
        return settlement === 'ack' && put.length <= 1 && put.every(Boolean) && errors.length === 0;
      }),
      runs(8000),
    );
  });

  it('leaves for no other place than these three for any answer of the agent', async () => {
    const bytes = Buffer.from(JSON.stringify(stored));
    await forMutants({ status: 'error', errors: [{ type: 'DECRYPTION_FAILED', message: 'why' }] }, 500, async (ack) => {
      const { settlement, confirmed } = await run(bytes, ack);
      const queues = confirmed.map(({ queue }) => queue).join();
      const expected = (ack as Fields | null)?.status === 'ok' ? [''] : [DLQ, 'validation-failures'];
      return settlement === 'ack' && expected.includes(queues);
    });
  });
});

describe('a message on its way down to a chatbot', () => {
  it('is answered with errors of the contract unless the chatbot took it, and never logged', async () => {
    const payload = await sealDeployed({ text: CANARY }, tax.privateKeyPem, police.publicKeyPem);
    const chatbot = await startChatbot();
    chatbot.answerWith({ status: 400 });
    const store = await AgentStore.open(temporaryFolder(), police.id);
    const config = {
      agentId: police.id,
      chatbot: { endpoint: chatbot.url, timeoutMs: 1000, retryMs: 0 },
      messageBinding: 'prefer',
    };
    const log = new RecordingLog();
    const context = receiveContext(store, police.privateKeyPem, {
      config: config as AgentConfig,
      directory,
      stopping: new AbortController().signal,
      metrics: countingMetrics().metrics,
      log,
    });
    const valid = {
      id: randomUUID(),
      senderId: tax.id,
      recipientId: police.id,
      type: 'ChatMessage',
      payload,
      timestamp: '2026-11-20T10:00:00.000Z',
    };
    await forMutants(valid, 60, async (mutant) => {
      const ack = await receive(context, mutant);
      const known = ack.status === 'error' && ack.errors.length > 0;
      return known && ack.errors.every(({ type, message }) => ERROR_TYPES.has(type) && message.length < 1000);
    });
    expect(JSON.stringify(log.lines)).not.toContain(CANARY);
    expect(log.at('error')).toEqual([]);
    await Promise.all([chatbot.close(), store.close()]);
  });
});
