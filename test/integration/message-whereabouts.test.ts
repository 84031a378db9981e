import { randomUUID } from 'node:crypto';
import type { Whereabouts } from '../../lib/router/whereabouts';
import { startCentOps, type CentOps } from '../helpers/centops';
import { DeployedAgent, NO_ANSWER } from '../helpers/deployed-agent';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { startServerNode, type ServerNode } from '../helpers/mesh';
import { Queues } from '../helpers/queues';
import { useVhost } from '../helpers/rabbitmq';

const { amqp } = useVhost();

const tax = makeIdentity('Tax Office');
const police = makeIdentity('Police');
const DLQ = `${police.id}.dlq`;
const CANARY = 'a-canary-that-no-trail-may-keep';

describe('where a message is', () => {
  let centOps: CentOps;
  let first: ServerNode;
  let second: ServerNode;
  let sender: DeployedAgent;
  let recipient: DeployedAgent | undefined;
  const queues = new Queues(amqp);

  beforeAll(async () => {
    centOps = await startCentOps([tax, police]);
    const env = {
      MESSAGE_DELIVERY_MAX_TRIES: '2',
      MESSAGE_DELIVERY_TIMEOUT_MS: '500',
      MESSAGE_RETRY_DELAY_MS: '20',
      AGENT_LIST_GRACE_MS: '10',
      RABBITMQ_DEFAULT_TTL: '3000',
    };
    first = await startServerNode(amqp, centOps.url, { env });
    second = await startServerNode(amqp, centOps.url, { env });
    sender = await (await DeployedAgent.start({ url: first.url, identity: tax })).ready();
    await eventually(async () => (await where('nobody')).silentNodes.length === 0);
  });

  afterEach(async () => {
    recipient?.close();
    recipient = undefined;
    await eventually(async () => (await queues.look(police.id))?.consumers === 0);
    for (const queue of [police.id, DLQ, 'validation-failures']) await queues.drain(queue);
  });

  afterAll(async () => {
    sender?.close();
    await queues.close();
    await second?.stop();
    await first?.stop();
    await centOps?.close();
  });

  const where = (id: string, search?: boolean, node = first) =>
    node.broker.call<Whereabouts, object>('router.message', { id, search });
  const login = async () =>
    (recipient = await (await DeployedAgent.start({ url: second.url, identity: police })).ready());
  const send = async () => {
    const id = randomUUID();
    await sender.send(police.id, { text: CANARY }, { id });
    return id;
  };
  const events = ({ history }: Whereabouts) => history.map(({ event, node }) => [event, node]);

  it('it waits in the queue of its agent, as far as remembered', async () => {
    const id = await send();
    const found = await where(id, false, second);
    expect(found).toMatchObject({ state: 'waiting', queue: police.id, node: first.broker.nodeID, tries: 0 });
    expect(found).toMatchObject({ senderId: tax.id, recipientId: police.id, silentNodes: [] });
    expect(events(found)).toEqual([['accepted', first.broker.nodeID]]);
  });

  it('it was delivered, by another node than the one that took it', async () => {
    const agent = await login();
    const id = await send();
    await eventually(async () => expect(await where(id)).toMatchObject({ state: 'delivered', tries: 1 }));
    // The broker's confirm and the message come on two connections: either may be first.
    const found = await eventually(async () => {
      const all = await where(id);
      expect(events(all)).toContainEqual(['accepted', first.broker.nodeID]);
      return all;
    });
    expect(events(found).filter(([event]) => event !== 'accepted')).toEqual([
      ['sent', second.broker.nodeID],
      ['delivered', second.broker.nodeID],
    ]);
    expect(found).toMatchObject({ state: 'delivered' });
    expect(agent.messages).toHaveLength(1);
    expect(JSON.stringify(found)).not.toContain(CANARY);
  });

  it('it is on its way to its agent, which has not answered', async () => {
    const agent = await login();
    agent.answerWith(NO_ANSWER);
    const id = await send();
    await eventually(async () =>
      expect(await where(id)).toMatchObject({ state: 'in flight', node: second.broker.nodeID, queue: police.id }),
    );
  });

  it('it is dead-lettered, as long as it lies there; and waits again after its replay', async () => {
    const agent = await login();
    agent.answerWith({ status: 'error', errors: [{ type: 'DELIVERY_FAILED', message: 'down' }] });
    const id = await send();
    await eventually(async () => expect(await where(id)).toMatchObject({ state: 'dead-lettered', queue: DLQ }));
    const deadLetter = expect.objectContaining({ id, reason: 'DELIVERY_FAILED', tries: 2 }) as unknown;
    expect(await where(id)).toMatchObject({ tries: 2, deadLetter, searched: [DLQ] });
    agent.close();
    await eventually(async () => (await queues.look(police.id))?.consumers === 0);
    await first.broker.call('dlq-monitor.replay', { agentId: police.id, ids: [id] });
    expect(await where(id)).toMatchObject({ state: 'waiting', queue: police.id });
    // Nobody takes it in time, and RabbitMQ tells nobody.
    await eventually(async () => (await queues.look(DLQ))?.ready === 1);
    await eventually(async () =>
      expect(await where(id)).toMatchObject({ state: 'dead-lettered', deadLetter: { reason: 'expired', replayed: 1 } }),
    );
    await queues.drain(DLQ);
    expect(await where(id)).toMatchObject({ deadLetter: null });
  });

  it('it was refused, or rejected by its recipient', async () => {
    const refused = randomUUID();
    await sender.send(police.id, { text: CANARY }, { id: refused, recipientId: randomUUID() });
    await eventually(async () => expect(await where(refused)).toMatchObject({ state: 'refused', senderId: tax.id }));
    expect((await where(refused)).history).toMatchObject([{ event: 'refused', reason: 'INVALID_RECIPIENT_ID' }]);
    const agent = await login();
    agent.answerWith({ status: 'error', errors: [{ type: 'DECRYPTION_FAILED', message: CANARY }] });
    const rejected = await send();
    await eventually(async () => expect(await where(rejected)).toMatchObject({ state: 'rejected' }));
    expect(JSON.stringify(await where(rejected))).not.toContain(CANARY);
  });

  it('nobody knows; a search finds it among the dead letters and the refused messages', async () => {
    const [dead, failed] = [randomUUID(), randomUUID()];
    const body = { id: dead, senderId: tax.id, recipientId: police.id, payload: CANARY };
    await queues.putAll(DLQ, [{ id: dead, body, headers: { 'x-dmr-reason': 'NO_ACK', 'x-dmr-tries': 10 } }]);
    await queues.putAll('validation-failures', [{ id: failed, body: { id: failed, errors: [{ type: 'UNKNOWN' }] } }]);
    expect(await where(dead)).toMatchObject({ state: 'unknown', history: [], searched: [] });
    expect(await where(dead, true)).toMatchObject({
      state: 'dead-lettered',
      queue: DLQ,
      senderId: tax.id,
      tries: 10,
      searched: ['validation-failures', DLQ],
    });
    expect(await where(failed, true)).toMatchObject({ state: 'refused', failure: { types: ['UNKNOWN'] } });
    const unknown = await where(randomUUID(), true);
    expect(unknown).toMatchObject({ state: 'unknown', notSearched: [] });
    expect(unknown.searched.sort()).toEqual(['validation-failures', DLQ].sort());
  });

  it('a node that does not answer is named', async () => {
    const service = second.broker.getLocalService('gateway.io') as unknown as { nodeRouter: { trail: object } };
    const { trail } = service.nodeRouter;
    service.nodeRouter.trail = {
      of: () => {
        throw new Error('deaf');
      },
    };
    expect(await where(randomUUID())).toMatchObject({ silentNodes: [second.broker.nodeID] });
    service.nodeRouter.trail = trail;
  });
});
