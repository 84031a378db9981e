import { inspect } from 'node:util';
import fc from 'fast-check';
import { ServiceBroker } from 'moleculer';
import { messageOf } from '../../lib/errors';
import { problemOf } from '../../lib/http/problem';
import { loggerOptions } from '../../lib/telemetry/log-output';
import { anyText, anyValue, hostileName, runs } from './arbitraries';

const CANARY = 'mari.maasikas@example.ee';

/** What somebody may throw: an error with odd fields, or no error at all. */
const thrown = fc.oneof(
  anyValue,
  fc.tuple(fc.dictionary(fc.oneof(hostileName, anyText), anyValue, { maxKeys: 4 }), anyText).map(([fields, text]) => {
    const error = new Error(`${text} ${CANARY}`);
    for (const [key, value] of Object.entries(fields)) {
      Object.defineProperty(error, key, { value, configurable: true, enumerable: true, writable: true });
    }
    return error;
  }),
);

describe('problemOf', () => {
  it('makes an answer of anything that is thrown, without a word of it', () => {
    fc.assert(
      fc.property(thrown, fc.oneof(hostileName, anyText), fc.integer(), (error, type, status) => {
        const errors = [error, { type, status }, Object.assign(new Error(CANARY), { type, status, code: type })];
        return errors.every((one) => isProblem(problemOf(one)));
      }),
      runs(20_000),
    );
  });

  function isProblem({ status, ...body }: ReturnType<typeof problemOf>): boolean {
    const known = Number.isInteger(status) && status >= 400 && status <= 599;
    return known && typeof body.code === 'string' && !JSON.stringify(body).includes(CANARY);
  }
});

describe('messageOf', () => {
  it('makes a text of anything that is thrown', () => {
    fc.assert(
      fc.property(thrown, (error) => typeof messageOf(error) === 'string'),
      runs(20_000),
    );
  });
});

describe('the log', () => {
  /** What JSON cannot say, and what does not want to be looked at. */
  const unspeakable = fc.constantFrom<() => unknown>(
    () => 10n,
    () => Symbol('s'),
    () => () => undefined,
    () => {
      const circle: Record<string, unknown> = {};
      return Object.assign(circle, { circle });
    },
    () => ({ toJSON: () => { throw new Error('no JSON'); } }), // prettier-ignore
    () => ({ get field() { throw new Error('no field'); } }), // prettier-ignore
    () => ({ [inspect.custom]: () => { throw new Error('not to be inspected'); } }), // prettier-ignore
    () => Object.assign(new Error('x'), { stack: undefined, message: undefined }),
    () => new Proxy({}, { ownKeys: () => { throw new Error('no keys'); } }), // prettier-ignore
  );
  const args = fc.array(
    fc.oneof(
      thrown,
      unspeakable.map((make) => make()),
    ),
    { maxLength: 4 },
  );

  it.each(['json', 'pretty'] as const)('(%s) prints whatever it is given, as texts', (format) => {
    let printed: string[] = [];
    const logger = loggerOptions({ format, colors: false, level: 'info' }, (line) => void printed.push(line));
    const log = new ServiceBroker({ logger, nodeID: 'n' }).getLogger('m');
    fc.assert(
      fc.property(args, (values) => {
        printed = [];
        log.info(...values);
        return printed.every((text) => typeof text === 'string') && (format === 'pretty' || isLine(printed));
      }),
      runs(15_000),
    );
  });

  /** One line of JSON that is what it says it is: no value can end it, begin another, or pass for its level. */
  function isLine([text, ...more]: string[]): boolean {
    if (text === undefined || more.length > 0 || !/^[^\r\n]+\n$/.test(text)) return false;
    const entry = JSON.parse(text) as Record<string, unknown>;
    return entry.level === 'info' && entry.node === 'n' && entry.module === 'm' && typeof entry.message === 'string';
  }
});
