import { ConfigError } from './config-error';
import { CONTRADICTIONS, type Contradiction } from './contradictions';
import { givenFor } from './from-file';
import type { Variable, Variables } from './variable';
import { VARIABLES, type RoleValues, type VariableRole } from './variables';

/**
 * The values of all variables of a role; an empty variable counts as missing.
 * @throws {ConfigError} for the first variable that is missing or wrong, else for the first contradiction.
 */
export function read<R extends VariableRole>(role: R, env: NodeJS.ProcessEnv): RoleValues<R> {
  const variables: Variables = VARIABLES[role];
  const entries = Object.entries(variables).map(([name, variable]) => [name, readOne(name, variable, env)]);
  const values = Object.fromEntries(entries) as RoleValues<R>;
  refuseContradictions(role, values, env);
  return values;
}

function readOne(name: string, variable: Variable, env: NodeJS.ProcessEnv): unknown {
  const { rule, required, secret } = variable;
  const given = givenFor(name, variable, env);
  const { by, file } = given;
  const text = given.text ?? variable.default;
  if (text === undefined && !required && !file) return undefined;
  const value = text === undefined ? undefined : rule.parse(text);
  if (value !== undefined) return value;
  // Of a file its name is shown, never what is in it.
  throw file
    ? new ConfigError(by, `a file that holds ${rule.wants}`, { text: file })
    : new ConfigError(by, rule.wants, { text, secret });
}

function refuseContradictions<R extends VariableRole>(role: R, values: RoleValues<R>, env: NodeJS.ProcessEnv): void {
  const contradictions: readonly Contradiction<R>[] = CONTRADICTIONS[role] ?? [];
  const found = contradictions.find((contradiction) => contradiction.found(values));
  if (!found) return;
  const { variable, limit } = found;
  const { default: fallback, secret } = VARIABLES[role][variable] as Variable;
  const wants = limit ? `${found.wants} (${String(values[limit])})` : found.wants;
  throw new ConfigError(variable, wants, { text: env[variable] || fallback, secret });
}
