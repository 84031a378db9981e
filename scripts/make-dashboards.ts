import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { DASHBOARDS } from '../monitoring/dashboards';
import { render, type RenderedDashboard } from '../monitoring/dashboards/render';

const ROOT = resolve(__dirname, '..');

/** Every dashboard as Grafana reads it, by its path from the root of the project. */
export function dashboardFiles(): Record<string, string> {
  const files = Object.entries(DASHBOARDS).map(([name, dashboard]) => [
    `monitoring/grafana/dashboards/${name}.json`,
    asJson(render(dashboard)),
  ]);
  return Object.fromEntries(files) as Record<string, string>;
}

/** A line for each panel, so that a change shows as one. */
function asJson({ panels, ...rest }: RenderedDashboard): string {
  const lines = panels.map((panel) => `    ${JSON.stringify(panel)}`).join(',\n');
  return (
    JSON.stringify({ ...rest, panels: [] }, null, 2).replace('"panels": []', () => `"panels": [\n${lines}\n  ]`) + '\n'
  );
}

if (require.main === module) {
  for (const [path, text] of Object.entries(dashboardFiles())) writeFileSync(resolve(ROOT, path), text);
}
