import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { io, type Socket } from 'socket.io-client';
import { startCentOps, type CentOps } from '../helpers/centops';
import { EVENTS, makeDeployedToken, NAMESPACE } from '../helpers/deployed-agent';
import { eventually } from '../helpers/eventually';
import { makeIdentity, type AgentIdentity } from '../helpers/keys';
import { NodeProcess, serverEnv } from '../helpers/processes';
import { Queues } from '../helpers/queues';
import { useVhost } from '../helpers/rabbitmq';

const { amqp } = useVhost();

const tax = makeIdentity('Tax Office');
const police = makeIdentity('Police');

/** A login that never comes again by itself, and the ids of what it got. */
interface Login {
  socket: Socket;
  received: string[];
}

const logins: Login[] = [];

/** Logs in and waits for the list. */
async function login(node: NodeProcess, identity: AgentIdentity): Promise<Login> {
  const auth = { token: await makeDeployedToken(identity) };
  const options = { transports: ['websocket'], auth, forceNew: true, reconnection: false };
  const made: Login = { socket: io(node.url + NAMESPACE, options), received: [] };
  made.socket.on(EVENTS.fromServer, ({ id }: { id: string }, ack: (answer: unknown) => void) => {
    made.received.push(id);
    ack({ status: 'ok' });
  });
  logins.push(made);
  await once(made.socket as never, EVENTS.fullList, { signal: AbortSignal.timeout(10_000) });
  return made;
}

/** The last of three logins, which take each other's place, and how long the quickest took, ms: this machine may be slow. */
async function quickLogin(node: NodeProcess, identity: AgentIdentity): Promise<{ now: Login; tookMs: number }> {
  const took: number[] = [];
  for (;;) {
    const before = performance.now();
    const now = await login(node, identity);
    took.push(performance.now() - before);
    if (took.length === 3) return { now, tookMs: Math.min(...took) };
  }
}

/** Sends as many messages from the Tax Office to the Police; returns their ids once all are accepted. */
async function send(from: Login, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => randomUUID());
  const timestamp = new Date().toISOString();
  const envelope = { type: 'ChatMessage', senderId: tax.id, recipientId: police.id, timestamp, payload: 'sealed' };
  const acks = ids.map((id) => from.socket.timeout(5000).emitWithAck(EVENTS.toServer, { ...envelope, id }));
  expect(await Promise.all(acks)).toEqual(ids.map(() => ({ status: 'ok' })));
  return ids;
}

const received = (...all: Login[]) => new Set(all.flatMap(({ received: ids }) => ids));

describe('an agent whose server node stands still', () => {
  let centOps: CentOps;
  let [frozen, alive] = [] as unknown as [NodeProcess, NodeProcess];
  const queues = new Queues(amqp);

  beforeEach(async () => {
    centOps = await startCentOps([tax, police]);
    // So patient that no login ends for a heartbeat that a node in its sleep does not send.
    const env = { ...serverEnv(amqp, centOps.url), WEB_SOCKET_PING_TIMEOUT_MS: '120000' };
    const start = () => NodeProcess.start('server', ['server'], env);
    [frozen, alive] = await Promise.all([start(), start()]);
    // Both know of each other: a login before that is announced to nobody.
    for (const node of [frozen, alive]) await eventually(() => nodesSeenBy(node).then((count) => count === 2));
  }, 60_000);

  afterEach(async () => {
    for (const { socket } of logins.splice(0)) socket.disconnect();
    for (const node of [frozen, alive]) node.kill();
    await Promise.all([frozen.ended(), alive.ended()]);
    await queues.remove(police.id);
    await queues.close();
    await centOps.close();
  });

  const nodesSeenBy = async (node: NodeProcess) => {
    const text = await (await fetch(`${node.url}/metrics`)).text();
    return Number(/^moleculer_registry_nodes_online_total\S* (\d+)/m.exec(text)?.[1]);
  };

  /**
   * Everything arrived at whichever socket, and only the new login is left to get more. What the old one was given as its
   * node went on may come again: its ack meets a session that has ended. An agent knows it by its id.
   */
  async function expectOneHolder(old: Login, now: Login, sender: Login, sent: string[]): Promise<void> {
    await eventually(() => !old.socket.connected);
    await eventually(async () => (await queues.look(police.id))?.consumers === 1);
    await eventually(() => expect([...received(old, now)].toSorted()).toEqual(sent.toSorted()));
    const before = received(old);
    const later = await send(sender, 20);
    await eventually(() => expect([...received(now)]).toEqual(expect.arrayContaining(later)));
    expect(received(old)).toEqual(before);
    expect(await queues.look(police.id)).toEqual({ ready: 0, consumers: 1 });
  }

  it('is served by another one within two seconds; the old login ends when its node goes on', async () => {
    const sender = await login(alive, tax);
    const old = await login(frozen, police);
    await eventually(async () => (await queues.look(police.id))?.consumers === 1);
    frozen.freeze();
    const { now, tookMs } = await quickLogin(alive, police);
    expect(tookMs).toBeLessThan(2000);
    expect(await nodesSeenBy(alive)).toBe(2); // it was asked each time
    await eventually(async () => (await queues.look(police.id))?.consumers === 2);
    // The broker gives some of them to the node that stands still; they wait there, and are not lost.
    const sent = await send(sender, 20);
    await eventually(() => now.received.length > 0);
    frozen.thaw();
    await expectOneHolder(old, now, sender, sent);
  }, 60_000);

  it('logs in elsewhere after the mesh has forgotten the node, which hears of it when it goes on', async () => {
    const sender = await login(alive, tax);
    const old = await login(frozen, police);
    await eventually(async () => (await queues.look(police.id))?.consumers === 1);
    frozen.freeze();
    await eventually(async () => (await nodesSeenBy(alive)) === 1, { timeoutMs: 40_000 });
    const { now, tookMs } = await quickLogin(alive, police);
    expect(tookMs).toBeLessThan(1000); // asking the node would take one second more, every time
    const sent = await send(sender, 20);
    frozen.thaw();
    await expectOneHolder(old, now, sender, sent);
  }, 90_000);

  it('is free at once when its node is killed', async () => {
    const sender = await login(alive, tax);
    await login(frozen, police);
    await eventually(async () => (await queues.look(police.id))?.consumers === 1);
    frozen.kill();
    await frozen.ended();
    const before = Date.now();
    const now = await login(alive, police);
    const sent = await send(sender, 20);
    await eventually(() => now.received.length === sent.length);
    expect(Date.now() - before).toBeLessThan(4500); // neither a call nor a heartbeat was waited for
  }, 60_000);
});
