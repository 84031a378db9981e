import type { Whereabouts } from '../router/whereabouts';
import { command } from './command';
import { list, silentLines, table, type Columns } from './table';

type Step = Whereabouts['history'][number];

const HISTORY: Columns<Step> = [
  ['at', (step) => step.at],
  ['what', (step) => step.event],
  ['tries', (step) => step.tries],
  ['why', (step) => step.reason],
  ['node', (step) => step.node],
];

/** `message <id>`: prints what the action router.message answers. */
export const messageCommand = command<Whereabouts>(
  'message <id>',
  'Show where a message is and what happened to it',
  [{ option: '--search', description: 'Look through all dead letters and refused messages if nobody remembers it' }],
  {
    ask: (broker, { id, options }) => broker.call('router.message', { id, search: options['search'] === true }),
    text: (found, { options }) => whereaboutsAsText(found, options['search'] === true),
  },
);

export function whereaboutsAsText(found: Whereabouts, searched: boolean): string {
  const { id, state, node, queue, tries, senderId, recipientId, deadLetter, failure } = found;
  const values = list([
    ['message', id],
    ['state', stateInWords(found)],
    ['from', senderId],
    ['to', recipientId],
    ['node', node],
    ['queue', queue],
    ['tries', tries],
    ['reason', deadLetter?.reason ?? failure?.types.join(' ')],
    ['dead-lettered at', deadLetter?.deadAt],
  ]);
  const history = found.history.length > 0 ? ['', table(HISTORY, found.history)] : [];
  const hint = state === 'unknown' && !searched ? ['Nobody remembers it; --search looks through the dead letters'] : [];
  const gaps = found.notSearched.map((name) => `! ${name} was not looked through to its end`);
  return [values, ...history, ...hint, ...gaps, ...silentLines(found.silentNodes, 'its memory is missing here')].join(
    '\n',
  );
}

function stateInWords({ state, queue, searched, deadLetter }: Whereabouts): string {
  if (state === 'waiting') return 'waiting, as far as remembered';
  const isGone = state === 'dead-lettered' && deadLetter === null && queue !== null && searched.includes(queue);
  return isGone ? 'dead-lettered, and no longer in that queue' : state;
}
