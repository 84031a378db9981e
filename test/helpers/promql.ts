const STRINGS = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g;
const LABEL_LISTS = /\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g;
const DURATIONS = /\[[^\]]*\]|\boffset\s+\S+/g;
const WORDS = new Set(['and', 'or', 'unless', 'bool', 'inf', 'nan', 'by', 'without', 'on']);

/** What an expression selects: the name of a metric and the names of the labels it asks for. */
export interface Selector {
  metric: string;
  labels: string[];
}

/** Every selector of a PromQL expression of ours, which always name their metric before the braces. */
export function selectorsOf(expr: string): Selector[] {
  const plain = expr.replace(STRINGS, '""').replace(DURATIONS, '').replace(LABEL_LISTS, '');
  return [...plain.matchAll(/(?<![\w.$])([a-zA-Z_:][\w:]*)\s*(\(|\{[^}]*\})?/g)]
    .filter(([, name, next]) => next !== '(' && !WORDS.has((name as string).toLowerCase()))
    .map(([, name, braces = '']) => ({
      metric: name as string,
      labels: [...braces.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label]) => label as string),
    }));
}

/** The names of all metrics in an expression, each once. */
export function metricsIn(expr: string): string[] {
  return [...new Set(selectorsOf(expr).map(({ metric }) => metric))];
}
