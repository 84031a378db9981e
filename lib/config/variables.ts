import { AGENT_VARIABLES } from './agent-variables';
import { KEY_VARIABLES } from './key-variables';
import { AMQP_VARIABLES, NODE_VARIABLES, PROCESS_VARIABLES } from './node-variables';
import { SERVER_VARIABLES } from './server-variables';
import { CENTOPS_STAND_IN_VARIABLES, CHATBOT_STAND_IN_VARIABLES } from './stand-in-variables';
import type { Values, Variables } from './variable';

/** The table of all variables: which role reads which, and what each of them wants. */
export const VARIABLES = {
  process: PROCESS_VARIABLES,
  server: SERVER_VARIABLES,
  agent: AGENT_VARIABLES,
  centops: CENTOPS_STAND_IN_VARIABLES,
  chatbot: CHATBOT_STAND_IN_VARIABLES,
  keys: KEY_VARIABLES,
  mesh: { ...NODE_VARIABLES, ...AMQP_VARIABLES },
} as const satisfies Record<string, Variables>;

/** A set of variables that is read together. */
export type VariableRole = keyof typeof VARIABLES;

/** The parsed variables of a role. */
export type RoleValues<R extends VariableRole> = Values<(typeof VARIABLES)[R]>;
