import type { Case } from '../lib/bench';
import { backlog } from './backlog';
import { chain } from './chain';
import { coldStart } from './cold-start';
import { manyAgents } from './many-agents';
import { overload } from './overload';
import { routing } from './routing';
import { seals } from './seals';
import { twoNodes } from './two-nodes';

/** In the order of the table. */
export const CASES: Record<string, Case> = {
  routing,
  overload,
  'many-agents': manyAgents,
  'two-nodes': twoNodes,
  seals,
  chain,
  backlog,
  'cold-start': coldStart,
};
