import { isatty } from 'node:tty';
import { inspect } from 'node:util';
import type { BrokerOptions } from 'moleculer';
import pino, { type LoggerOptions } from 'pino';
import { prettyFactory } from 'pino-pretty';
import type { LoggerConfig } from '../config/types';
import { messageOf } from '../errors';
import { toStandardOutput } from './standard-output';

/** Takes one whole line, its end included. */
type Write = (line: string) => void;

interface Bindings {
  nodeID?: string;
  mod?: string;
}

const STDOUT = 1;
/** In place of what does not let itself be looked at. */
const UNPRINTABLE = 'something was logged that cannot be printed';
const LONGEST = 8192;
/** What every line says of itself; a field of this name gets a `_` behind it. */
const RESERVED = new Set(['time', 'level', 'node', 'module', 'message']);
/** Nobody logs these; should somebody do it all the same, they are not printed. */
const SECRETS = ['authorization', 'Authorization', 'token', 'password', 'key', 'privateKey', 'apiKey', 'apiSecret'];
const HIDDEN = '[not shown]';

const OPTIONS: LoggerOptions = {
  level: 'trace', // Moleculer gives each module a logger with the level that counts
  base: null,
  messageKey: 'message',
  timestamp: () => `,"time":"${new Date().toISOString()}"`,
  formatters: {
    level: (level) => ({ level }),
  },
  redact: { paths: SECRETS, censor: HIDDEN }, // what lies deeper is hidden below: wildcards here cost 15 us a line
  hooks: {
    /** Moleculer's order is text first; and a log call must not end what it is about. */
    logMethod(args, method) {
      try {
        const [fields, message] = parted(args);
        method.call(this, fields, '%s', message);
      } catch {
        method.call(this, {}, UNPRINTABLE);
      }
    },
  },
};

/**
 * Moleculer's logger for a node: pino, in this process. `json` is one object per line with `time`, `level`, `node`,
 * `module`, `message` and the fields of a context object beside them; `pretty` is for people; `auto` is pretty on a
 * terminal. No line is lost when the process ends itself, however it does. Never throws.
 */
export function loggerOptions(config: LoggerConfig, write: Write = toStandardOutput): BrokerOptions['logger'] {
  const isPretty = config.format === 'auto' ? isatty(STDOUT) : config.format === 'pretty';
  const destination = { write: isPretty ? prettily(config, write) : write };
  const root = pino(OPTIONS, destination);
  const createLogger = (level: string, { nodeID, mod }: Bindings) =>
    root.child({ node: nodeID, module: mod }, { level });
  // Moleculer makes a logger of its own all the same; it is never asked.
  return { type: 'Pino', options: { createLogger, pino: { destination } } };
}

function prettily({ colors }: LoggerConfig, write: Write): Write {
  const pretty = prettyFactory({
    colorize: colors,
    messageKey: 'message',
    timestampKey: 'time',
    translateTime: 'UTC:HH:MM:ss.l',
    messageFormat: '{module}: {message}',
    ignore: 'node,module',
    singleLine: true,
  });
  return (line) => write(pretty(line) ?? line);
}

/** The fields of all contexts, and the rest as one text. */
function parted(args: unknown[]): [object, string] {
  const contexts = args.filter(isContext).flatMap((context) => Object.entries(context));
  const fields = contexts.map(([name, value]) => [nameOf(name), fieldOf(value)] as const);
  const texts = args.filter((arg) => !isContext(arg)).map(asText);
  return [Object.fromEntries(fields), cut(texts.join(' '))];
}

/** pino looks a name up in plain objects, so those that every object has break its line. */
function nameOf(name: string): string {
  return RESERVED.has(name) || name in Object.prototype ? `${name}_` : name;
}

function isContext(arg: unknown): arg is object {
  if (typeof arg !== 'object' || arg === null) return false;
  return !(arg instanceof Error || Array.isArray(arg) || ArrayBuffer.isView(arg));
}

/** One value, of a size that fits into a line. */
function fieldOf(value: unknown): unknown {
  if (typeof value === 'string') return cut(value);
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Error) return cut(messageOf(value));
  if (ArrayBuffer.isView(value)) return asText(value);
  return nested(value);
}

/** Our own lines are flat; what a library nests is kept when it is small and plain. */
function nested(value: object): unknown {
  try {
    const text = JSON.stringify(value, (name, inner: unknown) => (SECRETS.includes(name) ? HIDDEN : inner)) ?? 'null';
    return text.length > LONGEST ? `${text.length} characters are left out` : (JSON.parse(text) as unknown);
  } catch {
    return UNPRINTABLE; // a circle, a BigInt, a member that throws
  }
}

function asText(arg: unknown): string {
  if (typeof arg === 'string') return arg;
  if (ArrayBuffer.isView(arg)) return `${arg.byteLength} bytes`; // its content may be anything
  if (arg instanceof Error) return String(arg.stack ?? arg.message);
  return inspect(arg, { depth: 2 });
}

function cut(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}
