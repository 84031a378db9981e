import { randomUUID } from 'node:crypto';
import { dlqName } from '../../lib/amqp/topology';
import { AmqpConnection } from '../../lib/amqp/connection';
import { Publisher } from '../../lib/amqp/publisher';
import type { Purged, Replayed } from '../../lib/dlq/dead-letters';
import type { DeadLetter, FailureRecord } from '../../lib/dlq/letter';
import type { DlqSummary } from '../../lib/dlq/operations';
import { meshConnected } from '../../lib/mesh/nodes';
import { startCentOps, type CentOps } from '../helpers/centops';
import { DeployedAgent } from '../helpers/deployed-agent';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { startServerNode, type ServerNode } from '../helpers/mesh';
import { Queues } from '../helpers/queues';
import { useVhost } from '../helpers/rabbitmq';

const { amqp, management } = useVhost();

const tax = makeIdentity('Tax Office');
const police = makeIdentity('Police');
const DLQ = dlqName(police.id);
const CANARY = 'a-canary-that-no-operator-may-see';
const NONE = { matched: 0, left: 0, complete: true, dryRun: false };

/** A dead letter as this project puts it away, `at` seconds into the year. */
function letter(number: number, more: { reason?: string; at?: number; headers?: object } = {}) {
  const id = randomUUID();
  const receivedAt = new Date(Date.UTC(2026, 0, 1, 0, 0, number)).toISOString();
  const body = { id, senderId: tax.id, recipientId: police.id, type: 'ChatMessage', payload: CANARY, receivedAt };
  const deadAt = new Date(Date.UTC(2026, 0, 1, 0, 0, more.at ?? number)).toISOString();
  const headers = { 'x-dmr-reason': more.reason ?? 'NO_ACK', 'x-dmr-tries': 10, 'x-dmr-dead-at': deadAt };
  return { id, body, headers: { ...headers, ...more.headers } };
}

const letters = (count: number, more?: (index: number) => Parameters<typeof letter>[1]) =>
  Array.from({ length: count }, (_none, index) => letter(index, more?.(index)));
const idsOf = (list: { id?: string; messageId?: unknown }[]) => list.map(({ id, messageId }) => id ?? messageId);

describe('what an operator does with dead letters', () => {
  let centOps: CentOps;
  let first: ServerNode;
  let second: ServerNode;
  const queues = new Queues(amqp);

  beforeAll(async () => {
    centOps = await startCentOps([tax, police]);
    first = await startServerNode(amqp, centOps.url);
    second = await startServerNode(amqp, centOps.url, { only: ['dlq-monitor'] });
    await eventually(async () => (await queues.look(DLQ)) !== undefined);
    await eventually(() =>
      list().then(
        (rows) => rows.length === 3,
        () => false,
      ),
    );
  });

  afterEach(async () => {
    jest.restoreAllMocks();
    for (const queue of [police.id, DLQ, 'validation-failures']) await queues.drain(queue);
  });

  afterAll(async () => {
    await queues.close();
    await second?.stop();
    await first?.stop();
    await centOps?.close();
  });

  const call = <T>(action: string, params: object = {}, node = first) =>
    node.broker.call<T, object>(`dlq-monitor.${action}`, params, { nodeID: node.broker.nodeID });
  const replay = (params: object, node = first) => call<Replayed>('replay', { agentId: police.id, ...params }, node);
  const purge = (params: object) => call<Purged>('purge', { agentId: police.id, ...params });
  const peek = (params: object = {}) => call<DeadLetter[]>('peek', { agentId: police.id, ...params });
  const list = (params: object = {}) => call<DlqSummary[]>('list', params, second);

  it('replays all of them in their order, with body and id as they were and a count in place of the reason', async () => {
    const death = { 'x-death': [{ reason: 'expired', count: 1 }], 'x-first-death-reason': 'expired', 'x-kept': 1 };
    const dead = letters(3, () => ({ headers: { ...death, traceparent: 'kept' } }));
    await queues.putAll(DLQ, dead);
    const before = new Date().toISOString();
    expect(await replay({ all: true })).toMatchObject({ matched: 3, replayed: 3, failed: 0, left: 0, complete: true });
    const after = new Date().toISOString();
    const back = await queues.drain(police.id);
    expect(idsOf(back)).toEqual(idsOf(dead));
    expect(back.map(({ body }) => body)).toEqual(dead.map(({ body }) => body));
    for (const { headers, persistent } of back) {
      // The counts are the broker's own: which there are, depends on its version.
      const { 'x-delivery-count': returns = 0, 'x-acquired-count': _acquired, ...ours } = headers;
      expect(returns).toBe(0);
      const { 'x-dmr-replayed-at': at, ...others } = ours as Record<string, string>;
      expect(others).toEqual({ traceparent: 'kept', 'x-dmr-replayed': 1 });
      expect([before, at, after]).toEqual([before, at, after].sort());
      expect(persistent).toBe(true);
    }
    expect(await queues.drain(DLQ)).toEqual([]);
  });

  it('counts each replay of the same message', async () => {
    await queues.putAll(DLQ, [letter(0, { headers: { 'x-dmr-replayed': 2 } })]);
    expect(await peek()).toMatchObject([{ replayed: 2 }]);
    await replay({ all: true });
    expect((await queues.drain(police.id))[0]?.headers).toMatchObject({ 'x-dmr-replayed': 3 });
  });

  it('reaches an agent that is connected, once each', async () => {
    const agent = await (await DeployedAgent.start({ url: first.url, identity: police })).ready();
    const dead = letters(300);
    await queues.putAll(DLQ, dead);
    expect(await replay({ all: true })).toMatchObject({ replayed: 300, left: 0 });
    await eventually(() => expect(idsOf(agent.messages.map(({ envelope }) => envelope))).toEqual(idsOf(dead)));
    agent.close();
  });

  it('is done when it says so: what it took does not come back', async () => {
    for (let time = 0; time < 5; time++) {
      const dead = letters(700);
      await queues.putAll(DLQ, dead);
      expect(await (time % 2 ? purge : replay)({ all: true })).toMatchObject({ matched: 700, left: 0 });
      expect(await queues.drain(DLQ)).toEqual([]);
    }
  });

  it('leaves what does not match in its place, however much there is', async () => {
    const dead = letters(1200, (index) => ({ reason: index % 3 === 0 ? 'BAD_ACK' : 'NO_ACK' }));
    await queues.putAll(DLQ, dead);
    expect(await replay({ reason: 'BAD_ACK' })).toMatchObject({ matched: 400, replayed: 400, left: 800 });
    expect(idsOf(await queues.drain(police.id))).toEqual(idsOf(dead.filter((_one, index) => index % 3 === 0)));
    expect(idsOf(await queues.drain(DLQ))).toEqual(idsOf(dead.filter((_one, index) => index % 3 !== 0)));
  });

  it('selects by id, and by the time of death', async () => {
    const dead = letters(6);
    await queues.putAll(DLQ, dead);
    const ids = idsOf([dead[1], dead[4]] as typeof dead);
    expect(await replay({ ids: [...ids, randomUUID()] })).toMatchObject({ matched: 2, replayed: 2, left: 4 });
    expect(idsOf(await queues.drain(police.id))).toEqual(ids);
    const window = { from: '2026-01-01T00:00:02Z', to: '2026-01-01T00:00:03Z' };
    expect(await replay(window)).toMatchObject({ matched: 2, left: 2 });
    expect(idsOf(await queues.drain(police.id))).toEqual(idsOf(dead.slice(2, 4)));
  });

  it('changes nothing in a dry run, and takes no more than it is asked for', async () => {
    const dead = letters(5);
    await queues.putAll(DLQ, dead);
    expect(await replay({ all: true, dryRun: true })).toMatchObject({ matched: 5, replayed: 0, left: 5, dryRun: true });
    expect(await purge({ all: true, dryRun: true })).toMatchObject({ matched: 5, purged: 0, left: 5, dryRun: true });
    expect(await queues.look(police.id)).toMatchObject({ ready: 0 });
    expect(await replay({ all: true, limit: 2 })).toMatchObject({ replayed: 2, left: 3, complete: false });
    expect(idsOf(await queues.drain(DLQ))).toEqual(idsOf(dead.slice(2)));
  });

  it('leaves a message where it is when the queue of its agent is gone', async () => {
    const dead = letters(3);
    await queues.putAll(DLQ, dead);
    await queues.remove(police.id);
    const done = await replay({ all: true });
    expect(done).toMatchObject({ replayed: 0, left: 3, complete: false, error: { code: 'QUEUE_MISSING' } });
    expect(done.failed).toBeGreaterThan(0);
    expect(idsOf(await queues.drain(DLQ))).toEqual(idsOf(dead));
    await first.broker.call('router.declare', { agentId: police.id });
  });

  it.each([
    ['without a selection', { agentId: police.id }, 'SELECTION_MISSING'],
    ['with two', { agentId: police.id, all: true, reason: 'NO_ACK' }, 'SELECTION_AMBIGUOUS'],
    ['with a time that is none', { agentId: police.id, from: 'yesterday' }, 'SELECTION_INVALID'],
    ['of messages without an id', { agentId: police.id, ids: [''] }, 422],
    ['of an agent that is not listed', { agentId: randomUUID(), all: true }, 'AGENT_UNKNOWN'],
    ['of refused messages', { agentId: 'validation-failures', all: true }, 'NOT_REPLAYABLE'],
  ])('refuses a replay %s', async (_what, params, code) => {
    await expect(call('replay', params)).rejects.toMatchObject({ code });
  });

  it('does no harm when two nodes replay at the same time: one goes on, the others wait for it or hear that they must', async () => {
    const dead = letters(2000);
    await queues.putAll(DLQ, dead);
    const results = await Promise.allSettled([
      replay({ all: true }),
      replay({ all: true }, second),
      replay({ all: true }),
    ]);
    const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
    for (const error of refused) expect(error).toMatchObject({ code: 'QUEUE_BUSY' });
    const done = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value.replayed] : []));
    expect(done.sort((a, b) => b - a)).toEqual([2000, ...done.slice(1).fill(0)]);
    expect(idsOf(await queues.drain(police.id))).toEqual(idsOf(dead));
    expect(await replay({ all: true }, second)).toMatchObject(NONE);
  });

  it('shows what they are and never what they say', async () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const own = letter(1);
    const expired = letter(2);
    const time = { '!': 'timestamp', value: 1767225600 };
    await queues.putAll(DLQ, [
      { ...own, body: { ...own.body, traceparent } },
      { ...expired, headers: { 'x-death': [{ reason: 'expired', time }], 'x-first-death-reason': 'expired' } },
      { id: 'garbage', body: `{"senderId": "${CANARY}", "type": "${CANARY}", "receivedAt": "${CANARY}"}` },
    ]);
    const shown = await peek();
    const common = { senderId: tax.id, recipientId: police.id, type: 'ChatMessage', replayed: 0 };
    expect(shown).toEqual([
      {
        ...common,
        id: own.id,
        receivedAt: own.body.receivedAt,
        deadAt: '2026-01-01T00:00:01.000Z',
        reason: 'NO_ACK',
        tries: 10,
        bytes: expect.any(Number) as number,
        traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
      },
      expect.objectContaining({ id: expired.id, deadAt: '2026-01-01T00:00:00.000Z', reason: 'expired', tries: null }),
      expect.objectContaining({ id: 'garbage', senderId: null, type: null, receivedAt: null, reason: 'unknown' }),
    ]);
    expect(JSON.stringify([shown, await list({ reasons: true })])).not.toContain(CANARY);
    expect(idsOf(await peek({ limit: 2 }))).toEqual([own.id, expired.id]);
    expect(idsOf(await queues.drain(DLQ))).toEqual([own.id, expired.id, 'garbage']);
  });

  it('looks again at what it has looked at: all of that stays in its order, and little else is disturbed', async () => {
    const dead = letters(400);
    await queues.putAll(DLQ, dead);
    for (const limit of [100, 1, 1]) expect(idsOf(await peek({ limit }))).toEqual(idsOf(dead.slice(0, limit)));
    const back = await queues.drain(DLQ);
    expect(idsOf(back)).toEqual(idsOf(dead));
    expect(back.filter(({ headers }) => Number(headers['x-delivery-count']) > 0).length).toBeLessThan(300);
  });

  it('lists every queue with its number, age and, when asked, reasons', async () => {
    await queues.putAll(DLQ, [letter(0), letter(1, { reason: 'BAD_ACK' }), letter(2)]);
    const [row] = (await list({ reasons: true })).filter(({ queue }) => queue === DLQ);
    expect(row).toMatchObject({ agentId: police.id, messages: 3, reasons: { NO_ACK: 2, BAD_ACK: 1 } });
    expect(row?.oldestSeconds).toBeGreaterThan(1000);
    expect((await list()).find(({ queue }) => queue === dlqName(tax.id))).toMatchObject({
      messages: 0,
      oldestSeconds: 0,
    });
  });

  it('purges what is selected, for good', async () => {
    const dead = letters(4, (index) => ({ reason: index < 2 ? 'NO_ACK' : 'BAD_ACK' }));
    await queues.putAll(DLQ, dead);
    expect(await purge({ reason: 'NO_ACK' })).toMatchObject({ matched: 2, purged: 2, left: 2 });
    expect(idsOf(await queues.drain(DLQ))).toEqual(idsOf(dead.slice(2)));
    expect(await queues.look(police.id)).toMatchObject({ ready: 0 });
  });

  it('shows and purges refused messages, without what they said', async () => {
    const id = randomUUID();
    const errors = [{ type: 'INVALID_FORMAT', message: CANARY }];
    const message = { senderId: tax.id, recipientId: police.id, payload: CANARY };
    const receivedAt = new Date().toISOString();
    await queues.putAll('validation-failures', [{ id, body: { id, errors, receivedAt, message } }]);
    const agentId = 'validation-failures';
    const shown = await call<FailureRecord[]>('peek', { agentId });
    expect(shown).toMatchObject([
      { id, types: ['INVALID_FORMAT'], senderId: tax.id, recipientId: police.id, receivedAt },
    ]);
    expect(JSON.stringify(shown)).not.toContain(CANARY);
    expect(await call<Purged>('purge', { agentId, ids: [id] })).toMatchObject({ purged: 1, left: 0 });
  });

  it('ends at the first copy that is not confirmed, and loses none', async () => {
    const dead = letters(300);
    await queues.putAll(DLQ, dead);
    const publish = jest.spyOn(Publisher.prototype, 'publish');
    publish.mockImplementationOnce(() => Promise.reject(new Error('no confirm')));
    expect(await replay({ all: true })).toMatchObject({ failed: 1, error: { code: 'INTERNAL' } });
    const [left, back] = [await queues.drain(DLQ), await queues.drain(police.id)];
    expect(idsOf(left)).toContain(dead[0]?.id);
    expect(new Set([...idsOf(left), ...idsOf(back)])).toEqual(new Set(idsOf(dead)));
    expect(left.length + back.length).toBe(dead.length);
  });

  it('gives everything back in order when the connections are lost on the way, and replays the rest later', async () => {
    const dead = letters(300);
    await queues.putAll(DLQ, dead);
    await queues.close();
    const publish = Object.getOwnPropertyDescriptor(Publisher.prototype, 'publish')?.value as Publisher['publish'];
    let begun = 0;
    let lost: Promise<unknown> | undefined;
    jest.spyOn(Publisher.prototype, 'publish').mockImplementation(async function (this: Publisher, ...args) {
      if (++begun >= 100) await (lost ??= management.closeConnections(6));
      return publish.apply(this, args);
    });
    const done = await replay({ all: true });
    expect(done).toMatchObject({ complete: false, left: null, error: { code: expect.any(String) as string } });
    expect(done.replayed).toBeGreaterThan(0);
    const left = await eventually(async () => idsOf(await peek({ limit: 300 })));
    expect(left.length).toBeGreaterThanOrEqual(150);
    expect(left).toEqual(idsOf(dead).slice(-left.length));
    expect(await eventually(() => replay({ all: true }))).toMatchObject({ replayed: left.length, complete: true });
    const back = idsOf(await queues.drain(police.id));
    expect(back.slice(-left.length)).toEqual(left);
    expect(new Set(back)).toEqual(new Set(idsOf(dead)));
    // Moleculer connects again after 5 s, and a node that is stopped before keeps that timer.
    await eventually(() => [first, second].every(({ broker }) => meshConnected(broker)));
  });

  it('outlives any number of looks where the broker limits the deliveries of a message', async () => {
    jest.spyOn(AmqpConnection.prototype, 'brokerVersion', 'get').mockReturnValue('4.1.0');
    const dead = letters(30, (index) => ({ headers: { 'x-dmr-dead-at': new Date(Date.now() - index).toISOString() } }));
    await queues.remove(DLQ);
    // As RabbitMQ 4 has it for every quorum queue.
    await queues.declare(DLQ, { 'x-queue-type': 'quorum', 'x-message-ttl': 86_400_000, 'x-delivery-limit': 20 });
    await queues.putAll(DLQ, dead);
    for (let look = 0; look < 50; look++) await peek({ limit: 30 });
    const shown = await peek({ limit: 100 });
    expect(idsOf(shown).sort()).toEqual(idsOf(dead).sort());
    expect(new Set(shown.map(({ reason }) => reason))).toEqual(new Set(['NO_ACK']));
    await queues.remove(police.id);
    for (let time = 0; time < 30; time++) expect(await replay({ all: true })).toMatchObject({ replayed: 0 });
    expect(idsOf(await queues.drain(DLQ)).sort()).toEqual(idsOf(dead).sort());
    await first.broker.call('router.declare', { agentId: police.id });
  });
});
