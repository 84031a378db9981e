import path from 'node:path';
import Validator, { type RuleCustomInline, type ValidationRuleObject } from 'fastest-validator';
import { MIN_BITS } from '../crypto/keys';
import { pemLines } from '../crypto/pem';
import { isCronPattern, isOwnPrivateKey, isPublicKey } from './formats';
import type { LoggerConfig } from './types';

/** How the text of a variable becomes a value. */
export interface Rule<T> {
  /** Completes the sentence "NAME: wants …". */
  readonly wants: string;
  /** The value, or undefined when the text breaks the rule. */
  parse(text: string): T | undefined;
}

/** The longest a timer of Node can wait, ms; a longer one fires at once. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** The longest `x-message-ttl` that RabbitMQ takes, ms. */
export const LONGEST_TTL_MS = 2 ** 32 - 1;

const LEVELS = { verbose: 'trace', debug: 'debug', log: 'info', warn: 'warn', error: 'error' } as const;

const validator = new Validator({ useNewCustomCheckerFunction: true });

/** The text passes through the schemas in turn; each takes what the one before it made of it. */
function rule<T>(wants: string, ...steps: ValidationRuleObject[]): Rule<T> {
  const checks = steps.map((step) => validator.compile({ value: step }));
  const parse = (text: string) => {
    const holder: { value: unknown } = { value: text };
    return checks.every((check) => check(holder) === true) ? (holder.value as T) : undefined;
  };
  return { wants, parse };
}

const matching = (pattern: RegExp): ValidationRuleObject => ({ type: 'string', trim: true, pattern });

function holds<V>(condition: (value: V) => boolean): RuleCustomInline<V> {
  return {
    type: 'custom',
    check(value: V, errors: unknown) {
      if (!condition(value)) (errors as { type: string }[]).push({ type: 'holds' });
      return value;
    },
  };
}

const becomes = <V>(change: (value: V) => unknown): ValidationRuleObject => ({ type: 'custom', check: change });

/** Digits only, within bounds that are themselves allowed. */
export const whole = (min: number, max: number) =>
  rule<number>(`a whole number from ${min} to ${max}`, matching(/^\d+$/), {
    type: 'number',
    convert: true,
    integer: true,
    min,
    max,
  });

/** A wait that a timer can keep, ms. */
export const milliseconds = (min = 1) => whole(min, LONGEST_TIMER_MS);

/** A lifetime in a queue, ms. */
export const lifetime = () => whole(1, LONGEST_TTL_MS);

/** A part of a whole. */
export const ratio = () =>
  rule<number>('a number from 0 to 1', matching(/^\d+(\.\d+)?$/), { type: 'number', convert: true, min: 0, max: 1 });

/** `true` or `false`; also 1, 0, on and off. */
export const flag = () =>
  rule<boolean>('true or false', { type: 'string', trim: true, lowercase: true }, { type: 'boolean', convert: true });

/** One of a few words, in lower case. */
export const oneOf = <T extends string>(...values: T[]) =>
  rule<T>(values.join(' or '), { type: 'string', trim: true, lowercase: true, enum: values });

/** Any text, taken as it is. */
export const text = (wants: string) => rule<string>(wants, { type: 'string', min: 1 });

/** A password for AMQP, where a zero byte ends it (RFC 4616); random bytes in a file may hold one. */
export const password = () =>
  rule<string>(
    'a password without a zero byte',
    { type: 'string', min: 1 },
    holds((value: string) => !value.includes('\0')),
  );

/** A folder, from where the process was started when it is not absolute. */
export const folder = () =>
  rule<string>(
    'the path of a folder',
    { type: 'string', min: 1 },
    becomes((value: string) => path.resolve(value)),
  );

const HTTP_URL: ValidationRuleObject[] = [
  matching(/^\S+$/),
  { type: 'url' },
  holds((value: string) => URL.canParse(value)),
];

/** A URL of HTTP. */
export const httpUrl = () => rule<string>('a URL that starts with http:// or https://', ...HTTP_URL);

/** A URL of HTTP that requests go to: `fetch` refuses a user and a password in it, with an error that quotes both. */
export const requestUrl = () =>
  rule<string>(
    'an http:// or https:// URL without user and password',
    ...HTTP_URL,
    holds((value: string) => !new URL(value).username && !new URL(value).password),
  );

/** A URL of HTTP to put paths behind: it ends without a slash. */
export const baseUrl = () =>
  rule<string>(
    'a URL that starts with http:// or https:// and has no query',
    ...HTTP_URL,
    matching(/^[^?#]+$/),
    becomes((value: string) => value.replace(/\/+$/, '')),
  );

/** Scheme, host and port of Socket.IO servers, one or several with commas: a path there would be taken as a namespace. */
export const socketOrigins = () =>
  rule<string[]>(
    'URLs, separated by commas, that start with http://, https://, ws:// or wss:// and end after host and port',
    becomes((value: string) => value.split(',').map((url) => url.trim().replace(/(?<=[^/])\/$/, ''))),
    { type: 'array', min: 1, items: { type: 'string', pattern: /^(https?|wss?):\/\/[^\s/?#]+$/i } },
    holds((urls: string[]) => urls.every((url) => URL.canParse(url))),
  );

/** A namespace of Socket.IO; a comma ends a namespace on the wire, and `/` is open to everybody. */
export const namespace = () => rule<string>('a path such as /v1/dmr-agent-events', matching(/^\/[^\s,?#]*[^\s,?#/]$/));

const PAIR = /^\s*([!#$%&'*+.^_`|~\w-]+)\s*=([\x20-\x2b\x2d-\x7e]*)$/;

/** Names of headers with their values, percent-encoded, as OpenTelemetry has it (Specification, OTLP Exporter). */
export const keyValues = () =>
  rule<Record<string, string>>(
    'name=value, several separated by commas',
    { type: 'string', min: 1 },
    becomes((value: string) => value.split(',').map((pair) => PAIR.exec(pair))),
    holds((pairs: (RegExpExecArray | null)[]) => pairs.every((pair) => pair && decoded(pair[2]) !== undefined)),
    becomes((pairs: RegExpExecArray[]) => Object.fromEntries(pairs.map(([, name, value]) => [name, decoded(value)]))),
  );

/** Undefined for what is no value of a header. */
function decoded(value = ''): string | undefined {
  try {
    const plain = decodeURIComponent(value);
    return /^[\x20-\x7e]*$/.test(plain) ? plain.trim() : undefined;
  } catch {
    return undefined; // a % without its digits
  }
}

/** A UUID, in the case it was written in. */
export const uuid = () => rule<string>('a UUID', { type: 'string', trim: true }, { type: 'uuid' });

/** A cron pattern that comes round at least once. */
export const cron = () =>
  rule<string>(
    'a cron pattern with 5 or 6 fields that comes round',
    matching(/^\S+(\s+\S+){4,5}$/),
    holds(isCronPattern),
  );

/** Our own RSA private key, with real line breaks. */
export const privateKey = () =>
  rule<string>(
    `an RSA private key of at least ${MIN_BITS} bits as PEM (PKCS#8 or PKCS#1)`,
    becomes(pemLines),
    { type: 'string', pattern: /^-----BEGIN (RSA )?PRIVATE KEY-----\n/ },
    holds(isOwnPrivateKey),
  );

/** Somebody's RSA public key, with real line breaks. */
export const publicKey = () =>
  rule<string>(
    `an RSA public key of at least ${MIN_BITS} bits as PEM (SPKI, PKCS#1 or X.509)`,
    becomes(pemLines),
    { type: 'string', pattern: /^-----BEGIN ((RSA )?PUBLIC KEY|CERTIFICATE)-----\n/ },
    holds(isPublicKey),
  );

/** The most talkative of a list of levels, in Moleculer's words. */
export const logLevels = () =>
  rule<LoggerConfig['level']>(
    `a comma-separated list of ${Object.keys(LEVELS).reverse().join(', ')}`,
    becomes((value: string) => value.split(',').map((word) => word.trim().toLowerCase())),
    { type: 'array', min: 1, enum: Object.keys(LEVELS) },
    becomes((words: string[]) => Object.entries(LEVELS).find(([word]) => words.includes(word))?.[1]),
  );
