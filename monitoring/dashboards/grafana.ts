/** Units of Grafana that the panels need. */
export type Unit = 'short' | 'reqps' | 's' | 'bytes' | 'percentunit' | 'dateTimeFromNow' | 'none';

/** One line, or one family of lines, of a panel. */
export interface Query {
  /** PromQL; `$__rate_interval` and the variables of the dashboard may stand in it. */
  expr: string;
  /** `{{label}}` is replaced by the label's value. */
  legend?: string;
}

/** A panel; the dashboard gives it its place. */
export interface Panel {
  kind: 'timeseries' | 'stat' | 'table';
  title: string;
  unit: Unit;
  queries: Query[];
  description?: string;
  /** Of 24 columns. */
  width: number;
  /** A stat is red from this value on, or below it when `redBelow`. */
  redFrom?: number;
  redBelow?: number;
}

/** Panels under a title. */
export interface Row {
  title: string;
  panels: Panel[];
}

/** A drop-down at the top of a dashboard; `regex` cuts text and value out of what the query answers. */
export interface Variable {
  name: string;
  label: string;
  query: string;
  regex?: string;
}

/** A dashboard as this project writes it. */
export interface Dashboard {
  uid: string;
  title: string;
  description: string;
  variables?: Variable[];
  rows: Row[];
}

type PanelOptions = Partial<Pick<Panel, 'description' | 'width' | 'redFrom' | 'redBelow'>>;

/** Lines over time. */
export const lines = (title: string, unit: Unit, queries: Query[], options: PanelOptions = {}): Panel => ({
  kind: 'timeseries',
  title,
  unit,
  queries,
  width: 8,
  ...options,
});

/** One number, as it is now. */
export const number = (title: string, unit: Unit, expr: string, options: PanelOptions = {}): Panel => ({
  kind: 'stat',
  title,
  unit,
  queries: [{ expr }],
  width: 4,
  ...options,
});

/** The labels of every series that the query has now, with its value. */
export const table = (title: string, unit: Unit, expr: string, options: PanelOptions = {}): Panel => ({
  kind: 'table',
  title,
  unit,
  queries: [{ expr }],
  width: 12,
  ...options,
});

/** 50, 95 and 99 % of a histogram; `by` splits it by a label more. */
export function quantiles(histogram: string, { where = '', by }: { where?: string; by?: string } = {}): Query[] {
  const labels = by ? `${by}, le` : 'le';
  return [0.5, 0.95, 0.99].map((quantile) => ({
    expr: `histogram_quantile(${quantile}, sum by (${labels}) (rate(${histogram}_bucket${where}[$__rate_interval])))`,
    legend: `${by ? `{{${by}}} ` : ''}p${quantile * 100}`,
  }));
}

/** Adds up the rate of a counter, for each value of some labels. */
export function rateBy(counter: string, labels: string[], where = ''): Query {
  const by = labels.length > 0 ? ` by (${labels.join(', ')})` : '';
  return {
    expr: `sum${by} (rate(${counter}${where}[$__rate_interval]))`,
    legend: labels.map((label) => `{{${label}}}`).join(' ') || undefined,
  };
}
