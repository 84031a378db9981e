import { randomUUID } from 'node:crypto';
import { ServiceBroker } from 'moleculer';
import { loadMeshConfig } from '../../lib/config';
import type { Replayed } from '../../lib/dlq/dead-letters';
import { meshBrokerOptions } from '../../lib/mesh/broker-options';
import { nodesWith } from '../../lib/mesh/nodes';
import { startCentOps, type CentOps } from '../helpers/centops';
import { startChatbot, type Chatbot } from '../helpers/chatbot';
import { sealDeployed } from '../helpers/deployed-agent';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { chatMessage } from '../helpers/mesh';
import { agentEnv, NodeProcess, serverEnv } from '../helpers/processes';
import { Queues } from '../helpers/queues';
import { useVhost } from '../helpers/rabbitmq';
import { TcpProxy } from '../helpers/tcp-proxy';
import { freePorts } from '../../scripts/lib/broker/free-ports';

const { amqp } = useVhost();

const tax = makeIdentity('Tax Office');
const police = makeIdentity('Police');
const DLQ = `${police.id}.dlq`;
const COUNT = 2000;
/** Copies that the broker never got; fewer than the node has under way at the same time. */
const UNCONFIRMED = 50;

describe('a node that is killed while it replays', () => {
  let centOps: CentOps;
  let chatbot: Chatbot;
  let operator: ServiceBroker;
  /** Between the broker and the node that is killed. */
  let line: TcpProxy;
  const nodes: NodeProcess[] = [];
  const queues = new Queues(amqp);

  beforeAll(async () => {
    centOps = await startCentOps([tax, police]);
    chatbot = await startChatbot();
    const env = serverEnv(amqp, centOps.url);
    const [port = 0] = await freePorts(1);
    line = new TcpProxy(port, amqp);
    await line.open();
    const behindLine = { ...env, RABBITMQ_DEFAULT_HOST: '127.0.0.1', RABBITMQ_DEFAULT_PORT: String(port) };
    nodes.push(...(await Promise.all([behindLine, env].map((one) => NodeProcess.start('server', ['server'], one)))));
    nodes.push(await NodeProcess.start('agent', ['agent'], agentEnv(police, nodes[1]?.url ?? '', chatbot.url)));
    operator = new ServiceBroker({ ...meshBrokerOptions('repl', loadMeshConfig(env)), logger: false });
    await operator.start();
    await eventually(() => nodesWith(operator, 'dlq-monitor').length === 2);
  }, 90_000);

  afterAll(async () => {
    await operator?.stop();
    for (const node of nodes.reverse()) node.kill();
    await Promise.all(nodes.map((node) => node.ended()));
    await line?.cut();
    await queues.close();
    await chatbot?.close();
    await centOps?.close();
  });

  const nodeIdOf = (pid: number) => nodesWith(operator, 'dlq-monitor').find((id) => id.includes(`-${pid}-`)) ?? '';
  const replayAt = (node: NodeProcess | undefined) =>
    operator.call<Replayed, object>(
      'dlq-monitor.replay',
      { agentId: police.id, all: true },
      { nodeID: nodeIdOf(node?.pid ?? 0), timeout: 60_000 },
    );
  const delivered = () => chatbot.received.map(({ body }) => (body as { id: string }).id);

  it('loses nothing: what it had not finished is replayed again, and reaches the chatbot once each', async () => {
    const { payload, timestamp } = chatMessage(police.id);
    const sealed = await sealDeployed(payload, tax.privateKeyPem, police.publicKeyPem);
    const common = { senderId: tax.id, recipientId: police.id, timestamp, type: 'ChatMessage', payload: sealed };
    const ids = Array.from({ length: COUNT }, () => randomUUID());
    const headers = { 'x-dmr-reason': 'NO_ACK', 'x-dmr-tries': 10 };
    await queues.putAll(
      DLQ,
      ids.map((id) => ({ id, body: { ...common, id, receivedAt: new Date().toISOString() }, headers })),
    );
    const [victim, survivor] = nodes;
    const broken = replayAt(victim).catch(() => undefined);
    await eventually(() => delivered().length > 0, { everyMs: 1 });
    // What is in a socket arrives though the process is gone: copies that are not confirmed must be lost on the way.
    line.withhold(`${nodeIdOf(victim?.pid ?? 0)} publish`);
    await eventually(() => line.withheld > UNCONFIRMED * sealed.length, { everyMs: 1 });
    victim?.kill();
    await victim?.ended();
    // What it held comes back with its connection.
    await eventually(async () => (await queues.look(DLQ))?.consumers === 0);
    const left = (await queues.look(DLQ))?.ready ?? 0;
    // All of them, where its acks were lost with their channel: then the agent drops what the chatbot has had.
    expect(left).toBeGreaterThan(0);
    const rest = await eventually(() => replayAt(survivor));
    expect(rest).toMatchObject({ replayed: rest.matched, failed: 0, left: 0, complete: true });
    expect(rest.replayed).toBe(left);
    await broken;
    await eventually(() => expect(new Set(delivered())).toEqual(new Set(ids)), { timeoutMs: 90_000, everyMs: 500 });
    expect(delivered()).toHaveLength(COUNT);
    await eventually(async () => expect(await queues.look(police.id)).toMatchObject({ ready: 0 }));
  }, 180_000);
});
