import { inspect } from 'node:util';
import type { LoggerConfig } from '../config/types';

interface Bindings {
  nodeID?: string;
  mod?: string;
}

/** In place of what does not let itself be looked at. */
const UNPRINTABLE = 'something was logged that cannot be printed';

/**
 * Turns a log call into the text that is printed. `json`: one object per line, the fields of a context object beside
 * `message`; `pretty`: a line for people. Never throws.
 */
export function logFormatter(config: LoggerConfig) {
  return (level: string, args: unknown[], bindings: Bindings): string[] => {
    try {
      return printed(config, level, args, bindings);
    } catch {
      return printed(config, level, [UNPRINTABLE], bindings);
    }
  };
}

function printed(config: LoggerConfig, level: string, args: unknown[], { nodeID, mod }: Bindings): string[] {
  const message = args.filter((arg) => !isContext(arg)).map(asText);
  const context = args.filter(isContext).reduce<object>((all, one) => ({ ...all, ...one }), {});
  const entry = { time: new Date().toISOString(), level, node: nodeID, module: mod };
  if (config.format === 'json') return [asJson({ ...entry, message: message.join(' ') }, context)];
  const fields = Object.keys(context).length > 0 ? [inspect(context, { colors: config.colors, breakLength: 200 })] : [];
  return [`${entry.time.slice(11)} ${level.toUpperCase().padEnd(5)} ${entry.module ?? ''}:`, ...message, ...fields];
}

/** What JSON cannot hold (a circle, a BigInt) is told as text: a log call must not throw. */
function asJson(entry: object, context: object): string {
  try {
    return JSON.stringify({ ...entry, ...context });
  } catch {
    return JSON.stringify({ ...entry, context: inspect(context, { depth: 2, breakLength: Infinity }) });
  }
}

function isContext(arg: unknown): arg is object {
  return typeof arg === 'object' && arg !== null && !(arg instanceof Error) && !Array.isArray(arg);
}

function asText(arg: unknown): string {
  const value: unknown = arg instanceof Error ? (arg.stack ?? arg.message) : arg;
  return typeof value === 'string' ? value : inspect(value, { depth: 2 });
}
