import type { Dashboard, Panel, Row, Variable } from './grafana';

const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };
const COLUMNS = 24;
const HEIGHT = { timeseries: 8, table: 8, stat: 4 };

interface Place {
  x: number;
  y: number;
}

/** What Grafana reads. */
export interface RenderedDashboard extends Record<string, unknown> {
  uid: string;
  panels: object[];
}

/** A dashboard as Grafana 10 and later read it from a file. */
export function render({ uid, title, description, variables = [], rows }: Dashboard): RenderedDashboard {
  return {
    uid,
    title,
    description,
    tags: ['dmr'],
    schemaVersion: 39,
    editable: false,
    graphTooltip: 1,
    refresh: '30s',
    time: { from: 'now-1h', to: 'now' },
    links: [{ title: 'DMR', type: 'dashboards', tags: ['dmr'], asDropdown: true, keepTime: true }],
    templating: { list: [datasourceVariable, ...variables.map(variable)] },
    panels: place(rows),
  };
}

const datasourceVariable = { name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus' };

function variable({ name, label, query, regex = '' }: Variable): object {
  const definition = { query, refId: name };
  return { name, label, type: 'query', datasource: DATASOURCE, query: definition, regex, refresh: 2, sort: 1 };
}

/** Left to right, then down; each row begins on a line of its own. Ids count up: Grafana wants each once. */
function place(rows: Row[]): object[] {
  const placed: object[] = [];
  let y = 0;
  for (const { title, panels } of rows) {
    placed.push({
      id: placed.length + 1,
      type: 'row',
      title,
      collapsed: false,
      gridPos: { h: 1, w: COLUMNS, x: 0, y },
    });
    y += 1;
    let [x, height] = [0, 0];
    for (const panel of panels) {
      if (x + panel.width > COLUMNS) [x, y, height] = [0, y + height, 0];
      placed.push({ id: placed.length + 1, ...renderPanel(panel, { x, y }) });
      x += panel.width;
      height = Math.max(height, HEIGHT[panel.kind]);
    }
    y += height;
  }
  return placed;
}

function renderPanel(panel: Panel, { x, y }: Place): object {
  const { kind, title, description, unit, queries, width } = panel;
  const isNow = kind !== 'timeseries';
  return {
    type: kind,
    title,
    description,
    datasource: DATASOURCE,
    gridPos: { h: HEIGHT[kind], w: width, x, y },
    targets: queries.map(({ expr, legend }, index) => ({
      refId: String.fromCharCode(65 + index),
      expr,
      legendFormat: legend ?? '__auto',
      ...(isNow ? { instant: true } : { range: true }),
      ...(kind === 'table' && { format: 'table' }),
    })),
    fieldConfig: { defaults: { unit, ...defaults(panel) }, overrides: [] },
    options: OPTIONS[kind],
    ...(kind === 'table' && { transformations: [{ id: 'organize', options: { excludeByName: { Time: true } } }] }),
  };
}

function defaults({ kind, redFrom, redBelow }: Panel): object {
  if (kind === 'timeseries') return { min: 0, custom: { lineWidth: 1, fillOpacity: 10, showPoints: 'never' } };
  const steps = [{ color: redBelow === undefined ? 'green' : 'red', value: null }];
  const further = redFrom === undefined ? redBelow : redFrom;
  const more = further === undefined ? [] : [{ color: redBelow === undefined ? 'red' : 'green', value: further }];
  return { thresholds: { mode: 'absolute', steps: [...steps, ...more] } };
}

const OPTIONS = {
  timeseries: {
    legend: { showLegend: true, displayMode: 'list', placement: 'bottom', calcs: [] },
    tooltip: { mode: 'multi', sort: 'desc' },
  },
  stat: { reduceOptions: { calcs: ['lastNotNull'] }, colorMode: 'value', graphMode: 'none' },
  table: { showHeader: true, cellHeight: 'sm' },
};
