import fc from 'fast-check';
import { inTrace, traceContextOf, traceField } from '../../../lib/telemetry/trace-context';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const PARENT = `00-${TRACE}-${SPAN}-01`;

describe('a traceparent', () => {
  it.each([PARENT, `00-${TRACE}-${SPAN}-00`, `00-${TRACE}-${SPAN}-ff`])('%s is taken as it is', (traceparent) => {
    expect(traceContextOf({ traceparent })).toEqual({ traceparent });
  });

  it.each([`01-${TRACE}-${SPAN}-01`, `cc-${TRACE}-${SPAN}-01-what-comes-later`, `fe-${TRACE}-${SPAN}-01-`])(
    '%s of a later version is taken for what this one knows',
    (traceparent) => expect(traceContextOf({ traceparent })).toEqual({ traceparent: PARENT }),
  );

  it.each([
    undefined,
    null,
    17,
    {},
    [PARENT],
    '',
    'c4n4ry',
    ` ${PARENT}`,
    `${PARENT}\n`,
    `${PARENT}-00`,
    `${PARENT}, ${PARENT}`,
    PARENT.toUpperCase(),
    PARENT.slice(0, -1),
    `ff-${TRACE}-${SPAN}-01`,
    `0-${TRACE}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.slice(1)}g-${SPAN}-01`,
    `01-${TRACE}-${SPAN}-01x`,
    `01-${TRACE}-${SPAN}-01-\u0000`,
    `01-${TRACE}-${SPAN}-01-${'x'.repeat(300)}`,
  ])('%j is none', (traceparent) => {
    expect(traceContextOf({ traceparent, tracestate: 'a=1' })).toBeUndefined();
  });

  it.each([undefined, null, 'text', 17, []])('is not in %j', (carrier) => {
    expect(traceContextOf(carrier)).toBeUndefined();
  });
});

describe('a tracestate', () => {
  const long = (length: number) => `a=${'x'.repeat(200)},b=${'y'.repeat(200)},c=${'z'.repeat(length - 408)}`;

  it.each(['vendor=value', 'a=1, b@c=d e ,0-_*/=~!', 'a=1,,b=2', long(510), long(511), long(512)])(
    '%s is taken as it is',
    (tracestate) =>
      expect(traceContextOf({ traceparent: PARENT, tracestate })).toEqual({ traceparent: PARENT, tracestate }),
  );

  it.each([
    ['with more than 512 characters', `${long(511)},d`],
    ['with more than 512 valid ones', `${long(502)},dddddddddd=1`],
    ['with more than 32 members', Array.from({ length: 33 }, (_, i) => `k${i}=1`).join(',')],
    ['that is no text', { a: 1 }],
    ['without a value', 'vendor'],
    ['of nothing', ' , '],
    ['that ends a header', 'a=1\r\nevil: yes'],
    ['that ends a header between members', 'a=1,\r\nb=2'],
    ['that ends with a new line', 'a=1\n'],
    ['with a separator of Unicode', 'a=1,\u2028b=2'],
    ['with a space of another kind', 'a=1,\u00a0b=2'],
    ['beyond ASCII', 'a=ä'],
    ['with two equals signs', 'a=b=c'],
    ['with a key in upper case', 'A=1'],
  ])('%s is left out, and the parent counts', (_what, tracestate) => {
    expect(traceContextOf({ traceparent: PARENT, tracestate })).toEqual({ traceparent: PARENT });
  });
});

it('never throws, and what it gives can stand in a header', () => {
  const value = fc.oneof(
    fc.anything(),
    fc.string({ unit: 'binary' }),
    fc.stringMatching(/^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/),
    fc.stringMatching(/^[a-z]=[ -~]{0,600}$/),
  );
  fc.assert(
    fc.property(value, value, (traceparent, tracestate) => {
      const context = traceContextOf({ traceparent, tracestate });
      if (context) new Headers({ ...context });
      return context === undefined || /^00-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/.test(context.traceparent);
    }),
    { numRuns: 5000 },
  );
});

describe('an envelope', () => {
  const envelope = { id: 'x', extra: { of: 'somebody' } };

  it('is the same one where nothing changes', () => {
    expect(inTrace(envelope, undefined)).toBe(envelope);
    const traced = { ...envelope, traceparent: PARENT };
    expect(inTrace(traced, { traceparent: PARENT })).toBe(traced);
  });

  it('has the new context in place of the old one, and keeps the rest', () => {
    const old = { ...envelope, traceparent: 'c4n4ry', tracestate: 'a=1' };
    expect(inTrace(old, { traceparent: PARENT })).toEqual({ ...envelope, traceparent: PARENT });
    expect(inTrace(old, { traceparent: PARENT, tracestate: 'b=2' })).toMatchObject({ tracestate: 'b=2' });
  });

  it.each([{ traceparent: 'c4n4ry' }, { tracestate: 'a=1' }, { traceparent: null, tracestate: 7 }])(
    'loses %j that is no context',
    (odd) => expect(inTrace({ ...envelope, ...odd }, undefined)).toEqual(envelope),
  );
});

it('a log line has the id of the trace, or nothing of it', () => {
  expect(traceField({ traceparent: PARENT })).toEqual({ traceId: TRACE });
  expect(traceField({ traceparent: 'c4n4ry' })).toEqual({});
  expect(traceField(undefined)).toEqual({});
});
