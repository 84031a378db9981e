import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { format } from 'prettier';
import type { Results } from './lib/compare';
import type { Figure } from './lib/figure';
import { machine } from './lib/machine';
import { table } from './lib/table';

const ROOT = path.join(__dirname, '..');
const RESULTS = path.join(__dirname, 'results.json');
const README = path.join(ROOT, 'README.md');
const [BEGIN, END] = ['<!-- benchmark -->', '<!-- /benchmark -->'];

/** The results that were committed last; empty when there are none. */
export function committed(): Results {
  return JSON.parse(readFileSync(RESULTS, 'utf8')) as Results;
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
