import { startCentOps, type CentOps } from '../helpers/centops';
import { DeployedAgent, NAMESPACE, NO_ANSWER } from '../helpers/deployed-agent';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { startServerNode, type ServerNode } from '../helpers/mesh';
import { useVhost } from '../helpers/rabbitmq';
import type { RoutingTable } from '../../lib/router/routes';

const { amqp, management } = useVhost();

const tax = makeIdentity('Tax Office');
const police = makeIdentity('Police');

interface Sockets {
  io: { of(namespace: string): { sockets: Map<string, { acks: Map<number, unknown> }> } };
}

describe('an agent that never answers', () => {
  let centOps: CentOps;
  let server: ServerNode;
  const agents: DeployedAgent[] = [];

  beforeAll(async () => {
    centOps = await startCentOps([tax, police]);
    const env = {
      MESSAGE_DELIVERY_MAX_TRIES: '2',
      MESSAGE_DELIVERY_TIMEOUT_MS: '50',
      MESSAGE_RETRY_DELAY_MS: '10',
      MESSAGE_RETRY_DELAY_MAX_MS: '10',
    };
    server = await startServerNode(amqp, centOps.url, { env });
    for (const identity of [tax, police]) {
      agents.push(await (await DeployedAgent.start({ url: server.url, identity })).ready());
    }
  });

  afterAll(async () => {
    for (const agent of agents) agent.close();
    await server?.stop();
    await centOps?.close();
  });

  it('leaves nothing behind in the memory of the server', async () => {
    const [sender, deaf] = agents as [DeployedAgent, DeployedAgent];
    deaf.answerWith(NO_ANSWER);
    for (let count = 0; count < 5; count++) await sender.send(police.id, { count });
    const { io } = server.broker.getLocalService('gateway.io') as unknown as Sockets;
    const waiting = () => [...io.of(NAMESPACE).sockets.values()].reduce((sum, { acks }) => sum + acks.size, 0);
    await eventually(() => waiting() > 0);
    await eventually(async () => (await management.get(`${police.id}.dlq`)).messages === 5);
    await eventually(() => waiting() === 0);
  });

  it('can be paused and resumed from any node, where its socket is', async () => {
    const spread = await startServerNode(amqp, centOps.url, { only: ['router'] });
    const inFlight = async () => {
      const { routes } = await spread.broker.call<RoutingTable, object>('router.routes', { agentId: police.id });
      return routes[0]?.inFlight;
    };
    await eventually(async () => (await inFlight()) === 0);
    expect(await spread.broker.call('router.detach', { agentId: police.id })).toBe(true);
    expect(await inFlight()).toBeNull();
    const attach = () => spread.broker.call('router.attach', { agentId: police.id });
    await Promise.all([attach(), attach()]);
    expect(await inFlight()).toBe(0);
    agents[1]?.close();
    // Neither of the two leaves a consumer without a socket behind.
    await eventually(async () => {
      const consumers = (await management.request('GET', `consumers/${amqp.vhost}`)) as { queue: { name: string } }[];
      return consumers.every(({ queue }) => queue.name !== police.id);
    });
    await expect(attach()).rejects.toThrow(/connected to no node/);
    await spread.stop();
  });
});
