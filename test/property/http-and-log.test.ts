import { inspect } from 'node:util';
import fc from 'fast-check';
import { messageOf } from '../../lib/errors';
import { problemOf } from '../../lib/http/problem';
import { logFormatter } from '../../lib/telemetry/log-format';
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

describe('the log formatter', () => {
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
    const formatted = logFormatter({ format, colors: false, level: 'trace' });
    fc.assert(
      fc.property(args, (values) => {
        const texts = formatted('info', values, { nodeID: 'n', mod: 'm' });
        return texts.every((text) => typeof text === 'string') && (format === 'pretty' || isLine(texts));
      }),
      runs(15_000),
    );
  });

  /** One line of JSON: no value can end it and begin another. */
  function isLine(texts: string[]): boolean {
    const [text, ...more] = texts as [string, ...string[]];
    return more.length === 0 && !/[\r\n]/.test(text) && typeof JSON.parse(text) === 'object';
  }
});
