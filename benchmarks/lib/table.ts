import { isMet, shown, type Figure } from './figure';

const HEAD = ['what', 'measured', 'beside it', 'judged', 'goal', ''];

/** The figures as a table of Markdown. */
export function table(figures: Figure[]): string {
  const rows = [HEAD, HEAD.map(() => '---'), ...figures.map(cells)];
  return rows.map((row) => `| ${row.join(' | ')} |`).join('\n');
}

function cells(figure: Figure): string[] {
  const { what, measured, beside, judged, goal, unit = '' } = figure;
  const [word, at] = 'atLeast' in goal ? ['≥', goal.atLeast] : ['≤', goal.atMost];
  const within = (value: number) => `${shown(value)} ${unit}`.trim();
  return [what, measured, beside, within(judged), `${word} ${within(at)}`, isMet(figure) ? 'met' : 'missed'];
}
