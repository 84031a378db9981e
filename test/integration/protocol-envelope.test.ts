import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { VALIDATION_FAILURES } from '../../lib/amqp/topology';
import { startCentOps, type CentOps } from '../helpers/centops';
import { DeployedAgent } from '../helpers/deployed-agent';
import { eventually } from '../helpers/eventually';
import { makeAgentKeys, makeIdentity, type AgentIdentity } from '../helpers/keys';
import { startServerNode, type ServerNode } from '../helpers/mesh';
import { Queues, type QueuedMessage } from '../helpers/queues';
import { RawSocket } from '../helpers/raw-socket';
import { useVhost } from '../helpers/rabbitmq';
import type { EnvelopeVectors } from '../vectors/envelope-cases';

const { amqp } = useVhost();

const vectorsFile = path.join(__dirname, '../vectors/envelope.json');
const { known, authenticatedAs, vectors } = JSON.parse(readFileSync(vectorsFile, 'utf8')) as EnvelopeVectors;
const agents: AgentIdentity[] = known.map((agent) => ({ ...agent, ...makeAgentKeys() }));
const alpha = agents.find(({ id }) => id === authenticatedAs) as AgentIdentity;
const beta = agents.find(({ id }) => id !== authenticatedAs) as AgentIdentity;
const gamma = makeIdentity('gamma');

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe('the envelope on its way up', () => {
  const queues = new Queues(amqp);
  let centOps: CentOps;
  let server: ServerNode;
  let agent: DeployedAgent;
  let socket: RawSocket;

  beforeAll(async () => {
    centOps = await startCentOps([...agents, gamma]);
    server = await startServerNode(amqp, centOps.url, { env: { AGENT_LIST_GRACE_MS: '0' } });
    agent = await (await DeployedAgent.start({ url: server.url, identity: alpha })).ready();
    socket = await RawSocket.open(server.url, gamma);
    // What these two are sent stays in their queues.
    for (const { id: agentId } of [alpha, gamma]) {
      await eventually(async () => (await queues.look(agentId))?.consumers === 1);
      await server.broker.call('router.detach', { agentId });
    }
  });

  afterAll(async () => {
    agent?.close();
    socket?.close();
    await server?.stop();
    await centOps?.close();
    await queues.close();
  });

  function valid(change: Record<string, unknown> = {}) {
    const timestamp = new Date().toISOString();
    const ids = { id: randomUUID(), senderId: gamma.id, recipientId: beta.id };
    return { ...ids, type: 'ChatMessage', timestamp, payload: 'a.b.c.d.e', ...change };
  }

  /** Everything that reached a queue since the last call. */
  async function arrived() {
    const waiting: QueuedMessage[] = [];
    for (const { id } of [...agents, gamma]) waiting.push(...(await queues.drain(id)));
    return { waiting, failures: await queues.drain(VALIDATION_FAILURES) };
  }

  interface FailureRecord {
    id: string;
    errors: { type: string; message: string }[];
    receivedAt: string;
    message?: unknown;
  }

  function typesOf({ errors }: FailureRecord): string[] {
    return errors.map(({ type }) => type).sort();
  }

  describe('the vectors of the contract', () => {
    it.each(vectors.filter(({ ack }) => ack.status === 'ok'))('accepts: $name', async ({ message }) => {
      const before = Date.now();
      expect(await agent.emitRaw(message)).toEqual({ status: 'ok' });
      const { waiting, failures } = await arrived();
      const envelope = message as { id: string };
      expect(failures).toEqual([]);
      expect(waiting).toEqual([
        {
          body: { ...envelope, receivedAt: expect.stringMatching(ISO) as unknown },
          messageId: envelope.id,
          headers: expect.anything() as unknown,
          persistent: true,
        },
      ]);
      const receivedAt = Date.parse((waiting[0]?.body as { receivedAt: string }).receivedAt);
      expect(receivedAt).toBeGreaterThanOrEqual(before);
      expect(receivedAt).toBeLessThanOrEqual(Date.now());
    });

    it.each(vectors.filter(({ ack }) => ack.status === 'error'))('refuses: $name', async (vector) => {
      expect(await agent.emitRaw(vector.message)).toEqual({ error: expect.any(String) as unknown, ...vector.ack });
      const { waiting, failures } = await arrived();
      expect(waiting).toEqual([]);
      expect(failures).toMatchObject([{ persistent: true }]);
      const record = failures[0]?.body as FailureRecord;
      expect(record).toEqual({
        id: expect.any(String) as unknown,
        errors: expect.any(Array) as unknown,
        receivedAt: expect.stringMatching(ISO) as unknown,
        message: vector.message,
      });
      expect(typesOf(record)).toEqual([...(vector.errorTypes ?? [])].sort());
      for (const error of record.errors) {
        expect(error).toEqual({ type: error.type, message: expect.stringMatching(/./) as unknown });
      }
    });
  });

  describe('a refusal', () => {
    it('of a message in the name of another agent says so', async () => {
      const envelope = valid({ senderId: alpha.id });
      const error = `Sender agent with ID ${alpha.id} is not the authenticated agent`;
      expect(await socket.emit(envelope)).toEqual({ status: 'error', error });
      expect(await arrived()).toMatchObject({
        waiting: [],
        failures: [{ body: { id: envelope.id, errors: [{ type: 'INVALID_SENDER_ID', message: error }] } }],
      });
    });

    it('is filed under the id that the message claims to have', async () => {
      await socket.emit({ id: 'mine' });
      await socket.emit({ id: 'x'.repeat(65) });
      const [first, second] = (await arrived()).failures.map(({ body }) => body as FailureRecord);
      expect(first?.id).toBe('mine');
      expect(second?.id).toMatch(/^[0-9a-f-]{36}$/);
    });

    it('names every violated rule once, and the timestamp beside them', async () => {
      const message = { id: 1, senderId: 'x', recipientId: null, type: [], payload: '', timestamp: 'now' };
      expect(await socket.emit(message)).toEqual({ status: 'error', error: 'Validation failed' });
      const { failures } = await arrived();
      const record = failures[0]?.body as FailureRecord;
      expect(typesOf(record)).toEqual([...Array<string>(5).fill('INVALID_FORMAT'), 'INVALID_TIMESTAMP']);
      const named = record.errors.map((error) => /'(\w+)'/.exec(error.message)?.[1]);
      expect(named.sort()).toEqual(['id', 'payload', 'recipientId', 'senderId', 'timestamp', 'type']);
    });

    it('is filed even when somebody deleted the queue for it', async () => {
      await queues.remove(VALIDATION_FAILURES);
      expect(await socket.emit({})).toMatchObject({ status: 'error', error: 'Validation failed' });
      expect((await arrived()).failures).toHaveLength(1);
    });
  });

  describe('arguments that no agent sends', () => {
    const refused = { status: 'error', error: 'Message validation failed' };

    /** The socket is as good as before, and so is the server behind it. */
    async function stillServed() {
      const envelope = valid();
      expect(await socket.emit(envelope)).toEqual({ status: 'ok' });
      expect((await queues.drain(beta.id)).map(({ messageId }) => messageId)).toEqual([envelope.id]);
    }

    it('none at all is no object', async () => {
      expect(await socket.emit()).toEqual(refused);
      const { failures } = await arrived();
      expect(failures).toMatchObject([{ body: { errors: [{ type: 'UNKNOWN' }], message: null } }]);
      await stillServed();
    });

    it.each([
      ['null', null],
      ['undefined', undefined],
      ['a list', [1, 2]],
      ['a number', 0],
      ['an empty text', ''],
      ['true', true],
    ])('%s is no object', async (_name, argument) => {
      expect(await socket.emit(argument)).toEqual(refused);
      const { waiting, failures } = await arrived();
      expect(waiting).toEqual([]);
      expect(failures).toMatchObject([{ body: { errors: [{ type: 'UNKNOWN' }], message: argument ?? null } }]);
      await stillServed();
    });

    it('bytes have none of the fields of an envelope', async () => {
      expect(await socket.emit(Buffer.from('{}'))).toEqual({ status: 'error', error: 'Validation failed' });
      expect((await arrived()).failures).toHaveLength(1);
      await stillServed();
    });

    it('further ones are ignored, and the ack still comes', async () => {
      const envelope = valid();
      expect(await socket.emit(envelope, 'more', { of: 'it' })).toEqual({ status: 'ok' });
      expect(await socket.emit('text', envelope)).toEqual(refused);
      const { waiting, failures } = await arrived();
      expect(waiting.map(({ messageId }) => messageId)).toEqual([envelope.id]);
      expect(failures).toHaveLength(1);
    });

    it('who asks for no ack gets none, and the message goes on or is filed', async () => {
      const envelope = valid();
      socket.emitWithoutAck(envelope);
      socket.emitWithoutAck('text');
      socket.emitWithoutAck();
      expect((await queues.waitFor(beta.id, 1)).map(({ messageId }) => messageId)).toEqual([envelope.id]);
      expect(await queues.waitFor(VALIDATION_FAILURES, 2)).toHaveLength(2);
      await stillServed();
    });

    it('bytes, __proto__ and lone surrogates in further fields travel or are refused, but break nothing', async () => {
      const envelope = valid({ bytes: Buffer.from('x'), surrogate: '\ud800', id: randomUUID() });
      const text = JSON.stringify(valid()).replace('{', '{"__proto__":{"id":"x"},"constructor":1,');
      expect(await socket.emit(envelope)).toEqual({ status: 'ok' });
      expect(await socket.emitText(text)).toEqual({ status: 'ok' });
      expect((await arrived()).waiting).toHaveLength(2);
      await stillServed();
    });

    it.each([1000, 100_000])('a field nested %i levels deep is answered', async (levels) => {
      const nested = '['.repeat(levels) + ']'.repeat(levels);
      const text = JSON.stringify(valid()).replace('{', `{"nested":${nested},`);
      const answer = await socket.emitText(text);
      // Nobody could encode it again for the recipient: a stack has an end.
      const accepted = levels < 4000;
      expect(answer).toEqual(accepted ? { status: 'ok' } : refused);
      const { waiting } = await arrived();
      expect(waiting).toHaveLength(accepted ? 1 : 0);
      await stillServed();
    });

    it('a message above the limit of Socket.IO costs the sender its connection and nobody else anything', async () => {
      const other = await RawSocket.open(server.url, beta);
      await expect(other.emit(valid({ senderId: beta.id, payload: 'x'.repeat(2_000_000) }))).rejects.toThrow();
      other.close();
      expect((await arrived()).waiting).toEqual([]);
      await stillServed();
    });
  });
});
