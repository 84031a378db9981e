import { setTimeout as pause } from 'node:timers/promises';
import { startCentOps, type CentOps } from '../helpers/centops';
import { DeployedAgent } from '../helpers/deployed-agent';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { LeavingAgent } from '../helpers/leaving-agent';
import { NodeProcess, serverEnv } from '../helpers/processes';
import { Queues } from '../helpers/queues';
import { useVhost } from '../helpers/rabbitmq';

const { amqp } = useVhost();

const tax = makeIdentity('Tax Office');
const police = makeIdentity('Police');
const library = makeIdentity('Library');

/** Messages under way at the same time from each agent. */
const SENDERS = 10;
/** After it a server sends a second copy: long, so that a machine that stands still for a while makes none. */
const ACK_TIMEOUT_MS = 6000;
/** The same of RabbitMQ, of which a sender would hear. */
const PATIENT = { MESSAGE_DELIVERY_TIMEOUT_MS: String(ACK_TIMEOUT_MS), CONFIRM_TIMEOUT_MS: '8000' };

describe('two server nodes, each a process of its own', () => {
  let centOps: CentOps;
  const nodes: NodeProcess[] = [];
  const queues = new Queues(amqp);

  const start = async (port?: string) => {
    const env = { ...serverEnv(amqp, centOps.url), ...PATIENT, ...(port === undefined ? {} : { PORT: port }) };
    const node = await NodeProcess.start('server', ['server'], env);
    nodes.push(node);
    return node;
  };
  const restart = async (node: NodeProcess) => {
    expect(await node.stop()).toBe(0);
    return start(new URL(node.url).port);
  };

  beforeAll(async () => {
    centOps = await startCentOps([tax, police, library]);
  });

  afterEach(async () => {
    for (const node of nodes) node.kill();
    await Promise.all(nodes.splice(0).map((node) => node.ended()));
  });

  afterAll(async () => {
    await queues.close();
    await centOps?.close();
  });

  it('are restarted one after the other under load: nothing lost, nothing twice, no sender sees an error', async () => {
    const [first, second] = await Promise.all([start(), start()]);
    const urls = [first.url, second.url];
    const agents = await Promise.all([LeavingAgent.start(tax, urls, 0), LeavingAgent.start(police, urls, 1)]);
    const [one, two] = agents;
    let loaded = true;
    const load = async (from: LeavingAgent, to: LeavingAgent) => {
      while (loaded) {
        await from.send(to.id);
        // A steady load and not the most that goes: the processes of this test share two cores with others.
        await pause(20);
      }
    };
    const loads = agents.flatMap((agent) =>
      Array.from({ length: SENDERS }, () => load(agent, agent === one ? two : one)),
    );
    await eventually(() => one.accepted.length > 100 && two.accepted.length > 100);
    await restart(first);
    await restart(second);
    const before = one.accepted.length;
    await eventually(() => one.accepted.length > before + 100);
    loaded = false;
    await Promise.all(loads);
    expect([...one.failures, ...two.failures]).toEqual([]);
    await eventually(() => two.received.length >= one.accepted.length && one.received.length >= two.accepted.length);
    expect(two.received.toSorted()).toEqual(one.accepted.toSorted());
    expect(one.received.toSorted()).toEqual(two.accepted.toSorted());
    // A second copy is what a server sends when an ack was late on a busy machine, and nothing that the restart made.
    const early = agents.flatMap(({ copiesAfter }) => copiesAfter.filter((ms) => ms < ACK_TIMEOUT_MS));
    expect(early).toEqual([]);
    const leaving = agents.map(({ announced }) => announced.filter(([event]) => event === 'dmr:server:leaving').length);
    expect(leaving.reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(2);
    agents.forEach((agent) => agent.close());
    for (const { id } of [tax, police]) expect(await queues.leftAfterConsumer(id)).toEqual([]);
  }, 90_000);

  it('wait for the answer of an agent that knows nothing of leaving, and say meanwhile that they leave', async () => {
    const node = await start();
    const onMessage = async () => {
      // The chatbot takes its time: the node is asked to stop in between.
      await pause(2500);
    };
    const slow = await DeployedAgent.start({ url: node.url, identity: library, onMessage });
    const sender = await DeployedAgent.start({ url: node.url, identity: tax });
    await Promise.all([slow.ready(), sender.ready()]);
    expect(await sender.send(library.id, { text: 'How long are you open?' })).toEqual({ status: 'ok' });
    await slow.until(({ messages }) => messages.length === 1);
    const stopped = node.stop();
    await eventually(async () => {
      const response = await fetch(`${node.url}/v1/health`);
      const { parts } = (await response.json()) as { parts: Record<string, { ok: boolean }> };
      return response.status === 503 && parts['leaving']?.ok === false;
    });
    expect(await stopped).toBe(0);
    expect(slow.messages[0]?.answer).toEqual({ status: 'ok' });
    // It comes back by itself, as after any lost connection: no disconnect of the server's, which would need its own wait.
    expect(slow.disconnects).toEqual(['transport close']);
    slow.close();
    sender.close();
    expect(await queues.leftAfterConsumer(library.id)).toEqual([]);
  }, 60_000);

  it('give up on an answer that does not come within DRAIN_TIMEOUT_MS, and hand the message back', async () => {
    const node = await NodeProcess.start('server', ['server'], {
      ...serverEnv(amqp, centOps.url),
      DRAIN_TIMEOUT_MS: '1000',
    });
    nodes.push(node);
    const silent = await DeployedAgent.start({
      url: node.url,
      identity: library,
      onMessage: () => pause(60_000, undefined, { ref: false }),
    });
    const sender = await DeployedAgent.start({ url: node.url, identity: tax });
    await Promise.all([silent.ready(), sender.ready()]);
    await sender.send(library.id, { text: 'Anybody there?' });
    await silent.until(({ messages }) => messages.length === 1);
    const before = Date.now();
    expect(await node.stop()).toBe(0);
    expect(Date.now() - before).toBeLessThan(6000);
    silent.close();
    sender.close();
    expect(await queues.leftAfterConsumer(library.id)).toHaveLength(1);
  }, 60_000);
});
