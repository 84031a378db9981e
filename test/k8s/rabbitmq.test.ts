import { ofKind, renderOverlays, type Manifest, type Overlay } from '../helpers/manifests';

const RECONCILIATION = 'quorum_queue.continuous_membership_reconciliation';

interface Cluster {
  spec: { replicas: number; rabbitmq: { additionalConfig: string } };
}

let rendered: Record<Overlay, Manifest[]>;
beforeAll(async () => void (rendered = await renderOverlays()));

/** The lines of `additionalConfig`, which has RabbitMQ's own form. */
function settingsOf({ spec }: Cluster): Record<string, string> {
  const lines = spec.rabbitmq.additionalConfig.split('\n').filter((line) => line && !line.startsWith('#'));
  return Object.fromEntries(lines.map((line) => line.split(/ = (.*)/, 2) as [string, string]));
}

const clusterOf = (overlay: Overlay) => {
  const [cluster] = ofKind<Cluster>(rendered[overlay], 'RabbitmqCluster');
  if (!cluster) throw new Error(`${overlay} has no RabbitmqCluster`);
  return cluster;
};

describe('queues that were declared before all nodes of RabbitMQ were up', () => {
  it('get a copy on every node in production', () => {
    const cluster = clusterOf('production');
    expect(cluster.spec.replicas).toBe(3);
    expect(settingsOf(cluster)).toMatchObject({
      [`${RECONCILIATION}.enabled`]: 'true',
      [`${RECONCILIATION}.target_group_size`]: String(cluster.spec.replicas),
    });
  });

  it('lack none in dev, where a queue wants as many copies or more than there are nodes', () => {
    const cluster = clusterOf('dev');
    const size = Number(settingsOf(cluster)[`${RECONCILIATION}.target_group_size`]);
    expect(size).toBeGreaterThanOrEqual(cluster.spec.replicas);
  });
});
