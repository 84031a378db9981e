import { inspect } from 'node:util';
import type { LoggerConfig } from '../config/types';

interface Bindings {
  nodeID?: string;
  mod?: string;
}

/**
 * Turns a log call into the text that is printed. `json`: one object per line, the fields of a context object beside
 * `message`; `pretty`: a line for people.
 */
export function logFormatter(config: LoggerConfig) {
  return (level: string, args: unknown[], bindings: Bindings): string[] => {
    const message = args.filter((arg) => !isContext(arg)).map(asText);
    const context = args.filter(isContext).reduce<object>((all, one) => ({ ...all, ...one }), {});
    const entry = { time: new Date().toISOString(), level, node: bindings.nodeID, module: bindings.mod };
    if (config.format === 'json') return [asJson({ ...entry, message: message.join(' ') }, context)];
    const fields =
      Object.keys(context).length > 0 ? [inspect(context, { colors: config.colors, breakLength: 200 })] : [];
    return [`${entry.time.slice(11)} ${level.toUpperCase().padEnd(5)} ${entry.module ?? ''}:`, ...message, ...fields];
  };
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
  if (arg instanceof Error) return arg.stack ?? arg.message;
  return typeof arg === 'string' ? arg : inspect(arg, { depth: 2 });
}
