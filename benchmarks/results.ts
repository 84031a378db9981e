import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { format } from 'prettier';
import { isMet, shown, type Figure } from './lib/figure';
import { machine } from './lib/machine';
import { table } from './lib/table';

/** The judged number of each figure by its key. */
export type Results = Record<string, number>;

const ROOT = path.join(__dirname, '..');
const RESULTS = path.join(__dirname, 'results.json');
const README = path.join(ROOT, 'README.md');
const [BEGIN, END] = ['<!-- benchmark -->', '<!-- /benchmark -->'];

/**
 * How much worse a ratio may be than the committed one before it counts as a loss: two runs on one machine differ by up
 * to a tenth, other machines and short runs by more (docs/performance.md).
 */
const TOLERANCE = 0.25;

/** The results that were committed last; empty when there are none. */
export function committed(): Results {
  return JSON.parse(readFileSync(RESULTS, 'utf8')) as Results;
}

/** What has become worse, in words: a ratio beyond its tolerance, or something that must never happen. */
export function compare(figures: Figure[], before: Results): string[] {
  return figures.flatMap((figure) => {
    const { key, judged, goal, comparable } = figure;
    if (!comparable)
      return 'atMost' in goal && goal.atMost === 0 && !isMet(figure) ? [`${key}: ${judged}, never seen before`] : [];
    const was = before[key];
    if (was === undefined) return [`${key}: there is no committed result, write one with --write`];
    const limit = 'atLeast' in goal ? was * (1 - TOLERANCE) : was * (1 + TOLERANCE);
    const isWorse = 'atLeast' in goal ? judged < limit : judged > limit;
    return isWorse ? [`${key}: ${shown(judged)}, committed ${shown(was)}, tolerated ${shown(limit)}`] : [];
  });
}

/** Writes the results for later comparisons, and the table into the README. */
export async function write(figures: Figure[]): Promise<void> {
  const results = Object.fromEntries(figures.map(({ key, judged }) => [key, Number(judged.toPrecision(3))]));
  writeFileSync(RESULTS, await format(JSON.stringify({ ...committed(), ...results }), { parser: 'json' }));
  const readme = readFileSync(README, 'utf8');
  const [before, after] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (before < 0 || after < before) throw new Error(`README.md has no place for the table: ${BEGIN} … ${END}`);
  const text = `${BEGIN}\n\nOn ${machine()}:\n\n${table(figures)}\n\n`;
  const whole = readme.slice(0, before) + text + readme.slice(after);
  writeFileSync(README, await format(whole, { parser: 'markdown', printWidth: 120, proseWrap: 'preserve' }));
}
