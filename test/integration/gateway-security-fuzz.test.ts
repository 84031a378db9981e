import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import fc from 'fast-check';
import { io, type Socket } from 'socket.io-client';
import { VALIDATION_FAILURES } from '../../lib/amqp/topology';
import { ERROR_TYPES } from '../../lib/protocol/events';
import { mapParallel } from '../../lib/parallel';
import { anyText, anyValue, hostileName, mutantsOf } from '../property/arbitraries';
import { startCentOps, type CentOps } from '../helpers/centops';
import { EVENTS, makeDeployedToken, NAMESPACE } from '../helpers/deployed-agent';
import { frame, request, sample, SEED, throwBytes, throwFrames } from '../helpers/garbage';
import { makeIdentity } from '../helpers/keys';
import { untilHealthy } from '../helpers/mesh';
import { NodeProcess, serverEnv } from '../helpers/processes';
import { Queues } from '../helpers/queues';
import { useVhost } from '../helpers/rabbitmq';

const { amqp } = useVhost();

const tax = makeIdentity('Tax Office');
const police = makeIdentity('Police');

/** None of the limits that a flood like this one would meet. */
const NO_LIMITS = { AGENT_RATE_LIMIT: '0', WEB_SOCKET_MAX_STRANGERS: '65535', AGENT_MAX_IN_FLIGHT: '100000' };

interface Envelope {
  id: string;
  senderId: string;
  recipientId: string;
}

describe(`a server node under garbage (DMR_TEST_SEED=${SEED})`, () => {
  const queues = new Queues(amqp);
  const sent = new Set<string>();
  const taken = new Set<string>();
  let centOps: CentOps;
  let server: NodeProcess;

  beforeAll(async () => {
    centOps = await startCentOps([tax, police]);
    server = await NodeProcess.start('server', ['server'], { ...serverEnv(amqp, centOps.url), ...NO_LIMITS });
  });

  afterAll(async () => {
    await server?.stop().finally(() => server.kill());
    await centOps?.close();
    await queues.close();
  });

  function envelope(): Record<string, unknown> {
    const ids = { id: randomUUID(), senderId: tax.id, recipientId: police.id };
    return { ...ids, type: 'ChatMessage', payload: 'a.b.c.d.e', timestamp: new Date().toISOString() };
  }

  /** An agent's socket, logged in anew whenever the server has dropped it. */
  async function login(): Promise<Socket> {
    const auth = { token: await makeDeployedToken(tax) };
    const socket = io(server.url + NAMESPACE, { transports: ['websocket'], auth, forceNew: true, reconnection: false });
    await once(socket as unknown as NodeJS.EventEmitter, 'connect');
    return socket;
  }

  /** The server does its job, and says itself that it does. */
  async function stillWorks(): Promise<void> {
    expect(server.running).toBe(true);
    await untilHealthy(server.url);
    const socket = await login();
    const message = envelope();
    sent.add(String(message.id));
    expect(await socket.timeout(5000).emitWithAck(EVENTS.toServer, message)).toEqual({ status: 'ok' });
    taken.add(String(message.id));
    socket.disconnect();
    expect(server.output).not.toMatch(/unhandled|uncaught/i);
  }

  it('survives anything in place of a message, and acknowledges it', async () => {
    const socket = await login();
    const odd = sample(fc.tuple(anyValue, fc.oneof(hostileName, anyText)), 120);
    const messages = odd.flatMap(([value, name]) => mutantsOf(envelope(), value, name).map(withOwnId));
    await mapParallel(messages, 200, async (message) => {
      const id = (message as Partial<Envelope> | null | undefined)?.id;
      if (typeof id === 'string') sent.add(id);
      const answer: Promise<unknown> = socket.timeout(10_000).emitWithAck(EVENTS.toServer, message);
      const ack = (await answer.catch(unlessTooDeep)) as { status: string } | undefined;
      if (!ack) return;
      if (ack.status === 'ok') taken.add(String(id));
      else expect(ack).toEqual({ status: 'error', error: expect.any(String) as unknown });
    });
    socket.disconnect();
    await stillWorks();
  });

  /** Nested deeper than the stack of this client: it never got as far as the server. */
  function unlessTooDeep(error: unknown): undefined {
    if ((error as Error).name !== 'RangeError') throw error;
  }

  /** So that what is taken can be found again; an id that is the mutation stays. */
  function withOwnId(message: unknown): unknown {
    const { id } = (message ?? {}) as { id?: unknown };
    return typeof id === 'string' && /^[\da-f-]{36}$/.test(id) ? { ...(message as object), id: randomUUID() } : message;
  }

  it('survives any event with any arguments, and lists of them where one message belongs', async () => {
    const socket = await login();
    const names = fc.oneof(
      anyText,
      hostileName,
      fc.constantFrom(...Object.values(EVENTS), 'call', 'error', '$node.list'),
    );
    const args = fc.array(
      fc.oneof(
        anyValue,
        fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      ),
      { maxLength: 4 },
    );
    const reserved = ['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener'];
    for (const [name, list] of sample(fc.tuple(names, args), 20_000)) {
      try {
        if (!reserved.includes(name)) socket.emit(name, ...list); // the client refuses these itself
      } catch {
        // The client cannot print it, so no client can send it this way; as a frame it comes below.
      }
    }
    await socket.timeout(20_000).emitWithAck(EVENTS.toServer, null); // behind all of them
    socket.disconnect();
    await stillWorks();
  });

  it('survives any frames, before and after a login', async () => {
    const token = await makeDeployedToken(tax);
    const connections = sample(
      fc.tuple(fc.boolean(), fc.array(frame(NAMESPACE), { minLength: 1, maxLength: 30 })),
      400,
    );
    await mapParallel(connections, 20, ([asAgent, frames]) =>
      throwFrames(server.url, asAgent ? [`40${NAMESPACE},${JSON.stringify({ token })}`, ...frames] : frames),
    );
    await stillWorks();
  });

  it('survives any handshake', async () => {
    const auths = sample(
      fc.dictionary(fc.oneof(anyText, fc.constantFrom('token', 'pid', 'offset', 'extensions')), anyValue),
      500,
    );
    await mapParallel(auths, 20, (auth) =>
      throwFrames(server.url, [`40${NAMESPACE},${text({ ...auth, offset: auth.offset ?? 'x' })}`]),
    );
    await stillWorks();
  });

  it('survives any bytes on its port', async () => {
    await mapParallel(sample(request, 1500), 20, (bytes) => throwBytes(server.url, bytes));
    await stillWorks();
  });

  it('has put nothing into a queue that was not acknowledged or sent, and filed the rest as it should', async () => {
    const stored = (await queues.drain(police.id)).map(({ body }) => body as Envelope);
    expect(stored.every(({ senderId, recipientId }) => senderId === tax.id && recipientId === police.id)).toBe(true);
    const ids = new Set(stored.map(({ id }) => id));
    expect([...taken].filter((id) => !ids.has(id))).toEqual([]);
    expect([...ids].filter((id) => !sent.has(id))).toEqual([]);
    expect(await queues.drain(tax.id)).toEqual([]);
    const failures = await queues.drain(VALIDATION_FAILURES);
    expect(failures.length).toBeGreaterThan(0);
    for (const { body } of failures) {
      const { id, errors, receivedAt } = body as { id: string; errors: { type: string }[]; receivedAt: string };
      expect(id).toMatch(/./s);
      expect(errors.length > 0 && errors.every(({ type }) => ERROR_TYPES.has(type))).toBe(true);
      expect(new Date(receivedAt).toISOString()).toBe(receivedAt);
    }
  });

  function text(value: unknown): string {
    try {
      return JSON.stringify(value);
    } catch {
      return '{}'; // nested too deeply to be printed here
    }
  }
});
