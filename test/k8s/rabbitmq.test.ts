import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
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

describe.each(['dev', 'production'] as const)('the monitor of RabbitMQ in %s', (overlay) => {
  interface Monitor {
    spec: { podMetricsEndpoints: Endpoint[] };
  }
  interface Endpoint {
    path?: string;
    relabelings?: { targetLabel: string; replacement: string }[];
  }
  const jobOf = ({ relabelings = [] }: Endpoint) =>
    relabelings.find(({ targetLabel }) => targetLabel === 'job')?.replacement;

  it('has a job for each endpoint, or both would write one series `up`, and names the second as Prometheus alone does', () => {
    const [monitor] = ofKind<Monitor>(rendered[overlay], 'PodMonitor');
    const endpoints = monitor?.spec.podMetricsEndpoints ?? [];
    const example = readFileSync(path.join(__dirname, '../../monitoring/prometheus.yml'), 'utf8');
    const { scrape_configs: jobs } = parse(example) as {
      scrape_configs: { job_name: string; metrics_path?: string }[];
    };
    const named = jobs.find(({ metrics_path: at }) => at === '/metrics/detailed')?.job_name;
    expect(endpoints.map((endpoint) => [endpoint.path, jobOf(endpoint)])).toEqual([
      [undefined, undefined],
      ['/metrics/detailed', named],
    ]);
  });
});
