import { prefers } from '../../../lib/http/prefer';

describe('prefers respond-async', () => {
  it.each([
    'respond-async',
    'Respond-ASYNC',
    ' respond-async ',
    'respond-async, wait=10',
    'wait=10, respond-async',
    'wait=10,respond-async',
    ', ,respond-async,',
    'respond-async; foo; bar=1',
    'respond-async;foo="a,b"',
    'respond-async=""',
    'respond-async =',
    'return=representation; x="respond-async=1, \\" respond-async=1", respond-async',
    'respond-async, respond-async=1',
  ])('as %s', (header) => expect(prefers(header, 'respond-async')).toBe(true));

  it.each([
    undefined,
    '',
    'wait=10',
    'respond-asynchronously',
    'respond-async=false',
    'respond-async=1, respond-async',
    'foo="respond-async"',
    'foo="a, respond-async',
    'foo="\\", respond-async"',
    'foo; respond-async',
    'x-respond-async',
    ';respond-async',
  ])('not as %s', (header) => expect(prefers(header, 'respond-async')).toBe(false));

  it('in time that does not explode with the length', () => {
    const started = performance.now();
    for (const part of [' ; ', '" , "', '\\', ',;=', '; a=" ']) prefers(part.repeat(5000), 'respond-async');
    expect(performance.now() - started).toBeLessThan(500);
  });
});
