import { isMet, shown, type Figure } from './figure';

/** The judged number of each figure by its key. */
export type Results = Record<string, number>;

/**
 * How much worse a ratio may be than the committed one before it counts as a loss: on machines that share their cores with
 * others it wanders by a third from one run to the next (docs/performance.md).
 */
const TOLERANCE = 0.4;

/** What has become worse, in words: a ratio beyond its tolerance, or something that must never happen. */
export function compare(figures: Figure[], before: Results): string[] {
  return figures.flatMap((figure) => {
    const { key, judged, goal, comparable } = figure;
    if (!comparable) return isNever(goal) && !isMet(figure) ? [`${key}: ${judged}, and it must be 0`] : [];
    const was = before[key];
    if (was === undefined) return [`${key}: there is no committed result, write one with --write`];
    const limit = 'atLeast' in goal ? was * (1 - TOLERANCE) : was * (1 + TOLERANCE);
    const isGood = 'atLeast' in goal ? judged >= limit : judged <= limit;
    return isGood ? [] : [`${key}: ${shown(judged)}, committed ${shown(was)}, tolerated ${shown(limit)}`];
  });
}

const isNever = (goal: Figure['goal']) => 'atMost' in goal && goal.atMost === 0;
