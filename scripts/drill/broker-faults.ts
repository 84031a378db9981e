import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster } from '../lib/broker/cluster';
import type { ClusterNode } from '../lib/broker/cluster-node';

const LEADER_LIMIT_MS = 30_000;
const ANSWER_MS = 5000;
/** A cluster that has just had a node back may take long to delete a queue; a second request would delete the next one. */
const DELETED_MS = 60_000;

/** The node that leads an agent's queue. @throws when there is none for long */
export async function leaderOf(cluster: Cluster, queue: string): Promise<ClusterNode> {
  // Statistics say it, and they are not there at once after a node has started.
  for (const giveUpAt = Date.now() + LEADER_LIMIT_MS; Date.now() < giveUpAt; await delay(500)) {
    const { node } = (await request(cluster, 'GET', `queues/%2F/${queue}`)) as { node?: string };
    const leader = cluster.nodes.find(({ name }) => name === node);
    if (leader) return leader;
  }
  throw new Error(`No node leads ${queue}`);
}

/** Messages in a queue, ready or on their way. */
export async function messagesIn(cluster: Cluster, queue: string): Promise<number> {
  // Without statistics, which lag behind.
  const queues = await request(cluster, 'GET', 'queues/%2F?disable_stats=true&enable_queue_totals=true');
  return (queues as { name: string; messages?: number }[]).find(({ name }) => name === queue)?.messages ?? 0;
}

export async function deleteQueue(cluster: Cluster, queue: string): Promise<void> {
  await request(cluster, 'DELETE', `queues/%2F/${queue}`);
}

/** Closes every AMQP connection, as an operator would. */
export async function closeConnections(cluster: Cluster): Promise<void> {
  await request(cluster, 'DELETE', `connections/username/${cluster.amqp.user}`);
}

/**
 * Has the broker close every channel with 406 PRECONDITION_FAILED: it is told of an ack that was never sent. Nothing
 * but the channels is lost, their connections stay.
 */
export async function closeChannels(cluster: Cluster): Promise<void> {
  const ack = "{'basic.ack', 4294967295, false}";
  const expression = `[rabbit_channel:do(Channel, ${ack}) || Channel <- rabbit_channel:list_local()], ok.`;
  await Promise.all(cluster.nodes.map((node) => node.ctl('eval', expression)));
}

/** A request to the management interface of the first node that answers. */
async function request({ nodes, amqp }: Cluster, method: string, path: string): Promise<unknown> {
  const headers = { authorization: `Basic ${Buffer.from(`${amqp.user}:${amqp.password}`).toString('base64')}` };
  let failure: unknown;
  for (const { managementUrl } of nodes) {
    try {
      const response = await fetch(`${managementUrl}/api/${path}`, {
        method,
        headers,
        signal: AbortSignal.timeout(method === 'DELETE' ? DELETED_MS : ANSWER_MS),
      });
      const text = await response.text();
      if (response.ok) return text === '' ? undefined : (JSON.parse(text) as unknown);
      failure = new Error(`${method} ${path} was answered with ${response.status}`);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}
