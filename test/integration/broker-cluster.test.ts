import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { ServiceBroker } from 'moleculer';
import type { AmqpConfig } from '../../lib/config/types';
import { meshBrokerOptions } from '../../lib/mesh/broker-options';
import { startCluster, type Cluster } from '../../scripts/lib/broker/cluster';
import type { ClusterNode } from '../../scripts/lib/broker/cluster-node';
import { eventually } from '../helpers/eventually';
import { MessageLine } from '../helpers/message-line';
import { testAmqp } from '../helpers/rabbitmq';

// Longer than a node may take to come back, which ends with its logs: nodes that wait for each other's tables do so for 30 s at a time.
jest.setTimeout(240_000);

/** A node of the mesh with one action. */
async function startMember(name: string, amqp: AmqpConfig): Promise<ServiceBroker> {
  const node = { environment: 'development', logger: { colors: false, level: 'error', format: 'json' } } as const;
  const broker = new ServiceBroker({ ...meshBrokerOptions(name, { ...node, amqp }), logger: false });
  broker.createService({ name, actions: { ping: () => name } });
  await broker.start();
  return broker;
}

/** Three nodes on this machine, and one agent's queue whose leader goes. */
describe('a cluster', () => {
  let cluster: Cluster;
  let line: MessageLine;

  beforeAll(async () => {
    cluster = await startCluster({ nodes: 3 });
    // A connection that a busy machine cuts for a missed heartbeat comes back into the election and is stuck for 10 s.
    line = await new MessageLine({ ...testAmqp(cluster.amqp), heartbeatS: 10 }).start();
    await line.flows();
    // RabbitMQ 3.10 has the name of a new queue on disk after 3 s: a node killed before does not know its part of it.
    await pause(4000);
  });

  afterAll(async () => {
    await line?.stop();
    await cluster?.stop();
  });

  /** The node that leads the queue now, as a live node sees it. */
  async function leader(): Promise<ClusterNode> {
    const { user, password } = cluster.amqp;
    const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
    return eventually(async () => {
      for (const { managementUrl, pid } of cluster.nodes) {
        if (!pid) continue;
        const response = await fetch(`${managementUrl}/api/queues/%2F/${line.queue}`, { headers: { authorization } });
        const { leader: name } = (await response.json()) as { leader?: string };
        const node = cluster.nodes.find((each) => each.name === name);
        if (node?.pid) return node;
      }
      return false;
    });
  }

  /** Has every connection of the line at other nodes. */
  async function leave(node: ClusterNode): Promise<void> {
    for (const connection of [line.publishing, line.consuming, line.admin]) {
      for (;;) {
        await connection.whenOpen(20_000); // it may just be coming back
        if ((line.socketOf(connection) as Socket).remotePort !== node.port) break;
        line.socketOf(connection).destroy(new Error('cut'));
        await line.flows();
      }
    }
  }

  const flowsUnder = async (fault: () => Promise<void>) => {
    const stream = line.stream();
    try {
      await eventually(() => line.received.size > 20);
      await fault();
      await line.flows();
    } finally {
      await stream.stop();
    }
    await line.nothingLost();
  };

  it('loses nothing when the leader of a queue is killed under load', async () => {
    const node = await leader();
    await flowsUnder(() => node.kill());
    expect(node.pid).toBeUndefined();
    await node.start();
  });

  it('loses nothing when the leader of a queue is frozen under load, and goes on without it', async () => {
    const node = await leader();
    await leave(node); // whoever is connected to it cannot publish before its heartbeat is missed
    try {
      await flowsUnder(async () => {
        node.pause();
        await line.flows(20_000); // the others elect after 6 s
      });
    } finally {
      await node.kill(); // the others may have counted it out; a restart is what brings it back
      await node.start();
    }
  });

  it('keeps the mesh together while the node that a member of it was connected to stays dead', async () => {
    const { user, password } = cluster.amqp;
    const config = { ...testAmqp(cluster.amqp), user, password, heartbeatS: 1 };
    // Each begins at the node that is about to die: its queues are there.
    jest.spyOn(Math, 'random').mockReturnValueOnce(0).mockReturnValueOnce(0);
    const members = await Promise.all(['one', 'two'].map((name) => startMember(name, config)));
    const [one, two] = members as [ServiceBroker, ServiceBroker];
    const speak = async () => {
      expect(await one.call('two.ping', {}, { timeout: 500, retries: 0 })).toBe('two');
      expect(await two.call('one.ping', {}, { timeout: 500, retries: 0 })).toBe('one');
    };
    const home = cluster.nodes[0] as ClusterNode;
    try {
      await eventually(speak);
      await home.kill();
      await eventually(speak, { timeoutMs: 20_000 });
    } finally {
      await Promise.all(members.map((member) => member.stop()));
      await home.start();
    }
  });

  it('refuses without a majority, and goes on as soon as it is back', async () => {
    const [first, second, third] = cluster.nodes as [ClusterNode, ClusterNode, ClusterNode];
    const isPaused = async () => (await third.ctl('eval', 'whereis(mnesia_sup).')).includes('undefined');
    await flowsUnder(async () => {
      await Promise.all([first.kill(), second.kill()]);
      await expect(line.send(1000)).rejects.toMatchObject({ code: 'BROKER_UNAVAILABLE', retryable: true });
      // Nodes of RabbitMQ 3 that come back while the last one is about to pause may wait for each other's tables for good.
      await eventually(isPaused, { timeoutMs: 60_000 });
      await Promise.all([first.start(), second.start()]);
    });
  });
});
