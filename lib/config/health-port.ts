import { nodeRole } from './current';
import { VARIABLES } from './variables';

/**
 * Where the node of this environment answers for its health: METRICS_PORT when it is set, as a node may have that port
 * alone, else PORT. Nothing is checked: the node itself has done so.
 */
export function healthPort(env: NodeJS.ProcessEnv = process.env): number {
  const role = nodeRole(env);
  const fallback = role === 'repl' ? undefined : VARIABLES[role].PORT.default;
  return Number(env['METRICS_PORT'] || env['PORT'] || fallback);
}
