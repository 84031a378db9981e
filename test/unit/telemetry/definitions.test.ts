import { agentMetrics, serverMetrics, type MetricDefinition } from '../../../lib/telemetry/definitions';

const all: [string, MetricDefinition][] = [...Object.entries(serverMetrics), ...Object.entries(agentMetrics)];

describe('the metrics', () => {
  it.each(all)('%s is named as Prometheus has it', (name, { type, help, buckets }) => {
    expect(name).toMatch(/^dmr_[a-z_]+$/);
    expect(name.endsWith('_total')).toBe(type === 'Counter');
    expect(name.endsWith('_seconds')).toBe(type === 'Histogram');
    expect(buckets !== undefined).toBe(type === 'Histogram');
    expect(help).not.toBe('');
  });

  it.each(all)('%s has no label that a peer could fill', (_name, { labelNames = [] }) => {
    const bounded = ['agent', 'event', 'namespace', 'reason', 'type', 'method', 'route', 'status'];
    expect(bounded).toEqual(expect.arrayContaining(labelNames));
  });

  it('that both kinds of node have are the same', () => {
    const shared = Object.keys(serverMetrics).filter((name) => name in agentMetrics);
    expect(shared).toContain('dmr_socket_errors_total');
    for (const name of shared) expect(agentMetrics[name]).toEqual(serverMetrics[name]);
  });
});
