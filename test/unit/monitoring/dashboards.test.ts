import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { agentMetrics, serverMetrics } from '../../../lib/telemetry/definitions';
import { DASHBOARDS } from '../../../monitoring/dashboards';
import type { Dashboard } from '../../../monitoring/dashboards/grafana';
import { dashboardFiles } from '../../../scripts/make-dashboards';
import { metricsIn, selectorsOf } from '../../helpers/promql';
import { unknownIn } from './definitions';

const ROOT = path.join(__dirname, '../../..');
const METRICS_OF = { mesh: serverMetrics, agent: serverMetrics, organisation: agentMetrics, rabbitmq: {} };
const all = Object.entries<Dashboard>(DASHBOARDS).map(([name, dashboard]) => ({
  name: name as keyof typeof DASHBOARDS,
  dashboard,
}));
const panelsOf = ({ rows }: Dashboard) => rows.flatMap(({ panels }) => panels);
const expressionsOf = (dashboard: Dashboard) =>
  panelsOf(dashboard).flatMap(({ queries }) => queries.map(({ expr }) => expr));

interface Rendered {
  panels: { id: number; gridPos: { x: number; y: number; w: number; h: number } }[];
}

describe('the dashboards', () => {
  it.each(Object.entries(dashboardFiles()))('%s is up to date: npx tsx scripts/make-dashboards.ts', (file, text) => {
    expect(readFileSync(path.join(ROOT, file), 'utf8')).toBe(text);
  });

  it('are all the files there are', () => {
    const [file = ''] = Object.keys(dashboardFiles());
    expect(readdirSync(path.join(ROOT, path.dirname(file))).sort()).toEqual(
      Object.keys(dashboardFiles())
        .map((one) => path.basename(one))
        .sort(),
    );
  });

  it.each(all)('$name asks for metrics and labels that its nodes have', ({ name, dashboard }) => {
    const { variables = [] } = dashboard;
    const expressions = [...expressionsOf(dashboard), ...variables.map(({ query }) => query)];
    expect(unknownIn(expressions.flatMap(selectorsOf), METRICS_OF[name])).toEqual([]);
  });

  it.each(Object.entries(dashboardFiles()))('%s has no two panels in one place or of one id', (_file, text) => {
    const { panels } = JSON.parse(text) as Rendered;
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
  });

  it('show every metric of ours that says how the mesh or an agent does', () => {
    const shown = new Set(all.flatMap(({ dashboard }) => expressionsOf(dashboard).flatMap(metricsIn)));
    const isShown = (name: string) => shown.has(name) || shown.has(`${name}_bucket`);
    const hidden = Object.keys({ ...serverMetrics, ...agentMetrics }).filter((name) => !isShown(name));
    expect(hidden).toEqual(['dmr_socket_connection_active']); // another name of dmr_agent_socket_connection_active
  });
});
