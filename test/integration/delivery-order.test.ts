import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { startCentOps, type CentOps } from '../helpers/centops';
import {
  DeployedAgent,
  NO_ANSWER,
  sealDeployed,
  type DeployedAgentOptions,
  type Envelope,
} from '../helpers/deployed-agent';
import { eventually } from '../helpers/eventually';
import { makeIdentity, type AgentIdentity } from '../helpers/keys';
import { startServerNode, type ServerNode } from '../helpers/mesh';
import { Queues } from '../helpers/queues';
import { useVhost } from '../helpers/rabbitmq';

const { amqp } = useVhost();

const PREFETCH = 20;
const SENDERS = 5;
const EACH = 100;
const TOTAL = SENDERS * EACH;

describe('many messages to one agent', () => {
  const police = makeIdentity('Police');
  const identities = Array.from({ length: SENDERS }, (_, index) => makeIdentity(`Sender ${index}`));
  const queues = new Queues(amqp);
  let centOps: CentOps;
  let server: ServerNode;
  let senders: DeployedAgent[];
  let recipient: DeployedAgent;
  /** One seal of each sender: sealing takes longer than all the rest. */
  let payloads: string[];

  beforeAll(async () => {
    centOps = await startCentOps([police, ...identities]);
    const env = { AGENT_PREFETCH: String(PREFETCH), AGENT_LIST_GRACE_MS: '0', MESSAGE_DELIVERY_TIMEOUT_MS: '20000' };
    server = await startServerNode(amqp, centOps.url, { env });
    senders = await Promise.all(identities.map((identity) => login(identity)));
    const seal = ({ privateKeyPem }: AgentIdentity) => sealDeployed('hello', privateKeyPem, police.publicKeyPem);
    payloads = await Promise.all(identities.map(seal));
  });

  afterAll(async () => {
    for (const agent of senders) agent.close();
    await server?.stop();
    await centOps?.close();
    await queues.close();
  });

  afterEach(() => recipient?.close());

  async function login(identity: AgentIdentity, options: Partial<DeployedAgentOptions> = {}): Promise<DeployedAgent> {
    const agent = await DeployedAgent.start({ url: server.url, identity, ackTimeoutMs: 20_000, ...options });
    return agent.ready();
  }

  /** Every sender sends all its messages at once, without waiting for an ack; resolves to them when all are acked. */
  async function sendAll(): Promise<Envelope[]> {
    const timestamp = new Date().toISOString();
    const all = identities.flatMap(({ id: senderId }, sender) =>
      Array.from({ length: EACH }, (_, number) => {
        const ids = { id: randomUUID(), senderId, recipientId: police.id };
        return { ...ids, type: 'ChatMessage', timestamp, payload: payloads[sender] as string, number };
      }),
    );
    // In turns, so that the senders are mixed.
    all.sort((one, other) => one.number - other.number);
    const agentOf = ({ senderId }: Envelope) => senders.find(({ id }) => id === senderId) as DeployedAgent;
    const acks = await Promise.all(all.map((envelope) => agentOf(envelope).emitRaw(envelope)));
    expect(acks).toEqual(Array(TOTAL).fill({ status: 'ok' }));
    return all;
  }

  const answered = ({ messages }: DeployedAgent) => messages.filter(({ answer }) => answer !== undefined).length;

  /** All of them, none twice, and those of one sender in the order in which it sent them. */
  function expectAllInOrder(sent: Envelope[]): void {
    const received = recipient.messages.map(({ envelope }) => envelope);
    for (const { id } of senders) {
      const numbers = received.filter(({ senderId }) => senderId === id).map(({ number }) => number);
      expect(numbers).toEqual(Array.from({ length: EACH }, (_, number) => number));
    }
    expect(received.map(({ id }) => id).sort()).toEqual(sent.map(({ id }) => id).sort());
    for (const { answer } of recipient.messages) expect(answer).toEqual({ status: 'ok' });
  }

  it('arrive all, once and in order, never more at a time than AGENT_PREFETCH', async () => {
    const release = new AbortController();
    const released = once(release.signal, 'abort');
    let most = 0;
    const chatbot = async () => {
      await released;
      most = Math.max(most, recipient.messages.length - answered(recipient));
    };
    recipient = await login(police, { onMessage: chatbot });
    const sent = await sendAll();
    // What has left the queue may still be on its way to the agent.
    await eventually(async () => (await queues.look(police.id))?.ready === TOTAL - PREFETCH);
    await recipient.until(({ messages }) => messages.length >= PREFETCH);
    expect(recipient.messages).toHaveLength(PREFETCH);
    release.abort();
    await recipient.until((agent) => answered(agent) >= TOTAL, 20_000);
    expectAllInOrder(sent);
    expect(most).toBe(PREFETCH);
    recipient.close();
    expect(await queues.leftAfterConsumer(police.id)).toEqual([]);
  });

  it('wait while it is away, and arrive at its login, in order', async () => {
    const sent = await sendAll();
    await eventually(async () => expect(await queues.look(police.id)).toEqual({ ready: TOTAL, consumers: 0 }));
    recipient = await login(police);
    await recipient.until((agent) => answered(agent) >= TOTAL, 20_000);
    expectAllInOrder(sent);
    recipient.close();
    expect(await queues.leftAfterConsumer(police.id)).toEqual([]);
  });

  it('are not held up by messages to an agent that answers nothing', async () => {
    const [stuck, sender] = [senders[0], senders[1]] as [DeployedAgent, DeployedAgent];
    stuck.answerWith(NO_ANSWER);
    for (let number = 0; number < 2 * PREFETCH; number++) await sender.send(stuck.id, number);
    await stuck.until(({ messages }) => messages.length === PREFETCH);
    recipient = await login(police);
    const sent = await sendAll();
    await recipient.until((agent) => answered(agent) >= TOTAL, 20_000);
    expectAllInOrder(sent);
    expect(stuck.messages).toHaveLength(PREFETCH);
  });
});
