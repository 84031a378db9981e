import { once } from 'node:events';
import { dlqName, VALIDATION_FAILURES } from '../../lib/amqp/topology';
import { startCentOps, type CentOps } from '../helpers/centops';
import { DeployedAgent, type DeployedAgentOptions } from '../helpers/deployed-agent';
import { eventually } from '../helpers/eventually';
import { makeIdentity, type AgentIdentity } from '../helpers/keys';
import { startServerNode, type ServerNode } from '../helpers/mesh';
import { Queues } from '../helpers/queues';
import { useVhost } from '../helpers/rabbitmq';

const { amqp, management } = useVhost();

/** Lifetimes that the contract sets when nothing else is configured. */
const FIVE_MINUTES = 300_000;
const ONE_DAY = 86_400_000;

const quorum = (ttlMs: number) => ({ 'x-queue-type': 'quorum', 'x-message-ttl': ttlMs });

/** What a deployed server declares for an agent. */
const deployedArguments = (agentId: string) => ({
  ...quorum(FIVE_MINUTES),
  'x-dead-letter-exchange': '',
  'x-dead-letter-routing-key': dlqName(agentId),
});

/** What ours adds. */
const furtherArguments = { 'x-dead-letter-strategy': 'at-least-once', 'x-overflow': 'reject-publish' };

describe('the queues', () => {
  const queues = new Queues(amqp);
  let centOps: CentOps;
  let server: ServerNode;
  const agents: DeployedAgent[] = [];

  afterAll(() => queues.close());

  afterEach(async () => {
    for (const agent of agents.splice(0)) agent.close();
    await server?.stop();
    await centOps?.close();
  });

  async function start(identities: AgentIdentity[], env: NodeJS.ProcessEnv = {}): Promise<void> {
    centOps = await startCentOps(identities);
    server = await startServerNode(amqp, centOps.url, { env: { AGENT_LIST_GRACE_MS: '0', ...env } });
  }

  async function login(identity: AgentIdentity, options: Partial<DeployedAgentOptions> = {}): Promise<DeployedAgent> {
    const agent = await DeployedAgent.start({ url: server.url, identity, ...options });
    agents.push(agent);
    return agent.ready();
  }

  /** A new message goes from one to the other, opened and acknowledged. */
  async function messageFlows(sender: DeployedAgent, recipient: DeployedAgent): Promise<void> {
    const payload = { number: Math.random() };
    expect(await sender.send(recipient.id, payload)).toEqual({ status: 'ok' });
    const { id } = sender.sent.at(-1) ?? {};
    const arrived = () => recipient.messages.filter(({ envelope }) => envelope.id === id);
    await recipient.until(() => arrived()[0]?.answer !== undefined);
    expect(arrived()).toMatchObject([{ opened: payload, answer: { status: 'ok' } }]);
  }

  async function queuesAsIs(): Promise<number> {
    const text = await (await fetch(`${server.url}/metrics`)).text();
    return Number(/^dmr_queues_as_is(?:{.*})? (\d+)$/m.exec(text)?.[1] ?? 0);
  }

  describe('are declared', () => {
    it('with the arguments and lifetimes of the contract', async () => {
      const tax = makeIdentity('Tax Office');
      await start([tax]);
      const declared = { type: 'quorum', durable: true };
      await eventually(async () => {
        const own = { ...deployedArguments(tax.id), ...furtherArguments };
        expect(await management.get(tax.id)).toMatchObject({ ...declared, arguments: own });
        expect((await management.get(tax.id)).arguments).toEqual(own);
        expect((await management.get(dlqName(tax.id))).arguments).toEqual(quorum(ONE_DAY));
        expect((await management.get(VALIDATION_FAILURES)).arguments).toEqual(quorum(ONE_DAY));
      });
      expect(await management.get(dlqName(tax.id))).toMatchObject(declared);
      expect(await management.get(VALIDATION_FAILURES)).toMatchObject(declared);
      expect(await queuesAsIs()).toBe(0);
    });

    it('with lifetimes of the configuration; what expires lies in the dead-letter queue, and expires there', async () => {
      const [tax, police] = [makeIdentity('Tax Office'), makeIdentity('Police')];
      await start([tax, police], { RABBITMQ_DEFAULT_TTL: '300', RABBITMQ_DEFAULT_DLQ_TTL: '3000' });
      const sender = await login(tax);
      expect(await sender.send(police.id, 'too late')).toEqual({ status: 'ok' });
      const [letter] = await queues.waitFor(dlqName(police.id), 1);
      expect(letter).toMatchObject({ body: sender.sent[0], messageId: sender.sent[0]?.id, persistent: true });
      expect(letter?.headers['x-death']).toMatchObject([{ count: 1, reason: 'expired', queue: police.id }]);
      expect(await queues.drain(police.id)).toEqual([]);

      await sender.send(police.id, 'forgotten');
      await eventually(async () => (await queues.look(dlqName(police.id)))?.ready === 1);
      await eventually(async () => (await queues.look(dlqName(police.id)))?.ready === 0);
    });
  });

  describe('of an older server', () => {
    it.each([
      ['a deployed one', deployedArguments],
      ['one with another lifetime', (id: string) => ({ ...deployedArguments(id), 'x-message-ttl': 60_000 })],
      ['one without dead-lettering', () => quorum(FIVE_MINUTES)],
      ['one that made classic queues', () => ({})],
    ])('%s are used as they are, and counted', async (_name, argumentsOf) => {
      const [tax, police] = [makeIdentity('Tax Office'), makeIdentity('Police')];
      await queues.declare(police.id, argumentsOf(police.id));
      await start([tax, police]);
      const [sender, recipient] = [await login(tax), await login(police)];
      await messageFlows(sender, recipient);
      await messageFlows(recipient, sender);
      expect(await queuesAsIs()).toBe(1);
      recipient.close();
      expect(await queues.leftAfterConsumer(police.id)).toEqual([]);
      await eventually(async () => {
        expect((await management.get(police.id)).arguments).toEqual(argumentsOf(police.id));
      });
    });

    it('may be dead-letter queues and validation-failures too', async () => {
      const [tax, police] = [makeIdentity('Tax Office'), makeIdentity('Police')];
      await queues.remove(VALIDATION_FAILURES);
      for (const name of [dlqName(police.id), VALIDATION_FAILURES]) await queues.declare(name, {});
      await start([tax, police], { MESSAGE_DELIVERY_MAX_TRIES: '1' });
      const [sender, recipient] = [await login(tax), await login(police)];
      recipient.answerWith({ status: 'error', errors: [{ type: 'DELIVERY_FAILED', message: '' }] });
      await sender.send(police.id, 'undeliverable');
      expect(await queues.waitFor(dlqName(police.id), 1)).toHaveLength(1);
      expect(await sender.emitRaw('invalid')).toMatchObject({ status: 'error' });
      expect(await queues.drain(VALIDATION_FAILURES)).toHaveLength(1);
      expect(await queuesAsIs()).toBe(2);
      await queues.remove(VALIDATION_FAILURES); // the next test finds none
    });

    it('cost nobody else a channel or a connection', async () => {
      const [tax, police] = [makeIdentity('Tax Office'), makeIdentity('Police')];
      const late = makeIdentity('Late');
      await start([tax, police]);
      const release = new AbortController();
      const held = await login(police, { onMessage: () => once(release.signal, 'abort').then(() => undefined) });
      const sender = await login(tax);
      await sender.send(police.id, 'held');
      await held.until(({ messages }) => messages.length === 1);
      const connections = (await management.connections()).sort();

      await queues.declare(late.id, deployedArguments(late.id));
      centOps.agents.push(late);
      await server.broker.call('config-sync.sync');
      await sender.until(({ peers }) => peers.has(late.id));
      await messageFlows(sender, await login(late));
      expect(await queuesAsIs()).toBe(1);

      release.abort();
      await held.until(({ messages }) => messages[0]?.answer !== undefined);
      held.close();
      expect(await queues.leftAfterConsumer(police.id)).toEqual([]);
      expect(held.messages).toHaveLength(1); // a lost channel would have brought it again
      expect((await management.connections()).sort()).toEqual(connections);
    });
  });

  describe('that somebody deletes', () => {
    it('come back for the agent that is connected, and messages flow', async () => {
      const [tax, police] = [makeIdentity('Tax Office'), makeIdentity('Police')];
      await start([tax, police]);
      const [sender, recipient] = [await login(tax), await login(police)];
      await messageFlows(sender, recipient);
      for (const name of [police.id, dlqName(police.id)]) await queues.remove(name);
      await eventually(async () => (await queues.look(police.id))?.consumers === 1);
      expect(await queues.look(dlqName(police.id))).toEqual({ ready: 0, consumers: 0 });
      await messageFlows(sender, recipient);
      await eventually(async () => {
        const { arguments: declared } = await management.get(police.id);
        expect(declared).toEqual({ ...deployedArguments(police.id), ...furtherArguments });
      });
    });

    it('come back with the next message to an agent that is away, and it finds it there', async () => {
      const [tax, police] = [makeIdentity('Tax Office'), makeIdentity('Police')];
      await start([tax, police]);
      const sender = await login(tax);
      const names = [police.id, dlqName(police.id)];
      for (const name of names) await eventually(async () => (await queues.look(name)) !== undefined);
      for (const name of names) await queues.remove(name);
      expect(await sender.send(police.id, 'first')).toEqual({ status: 'ok' });
      expect(await sender.send(police.id, 'second')).toEqual({ status: 'ok' });
      expect(await queues.look(police.id)).toEqual({ ready: 2, consumers: 0 });
      expect(await queues.look(dlqName(police.id))).toEqual({ ready: 0, consumers: 0 });
      const recipient = await login(police);
      await recipient.until(({ messages }) => messages.length === 2);
      expect(recipient.messages.map(({ envelope }) => envelope.id)).toEqual(sender.sent.map(({ id }) => id));
    });
  });
});
