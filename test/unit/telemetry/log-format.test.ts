import { logFormatter } from '../../../lib/telemetry/log-format';

const bindings = { nodeID: 'server-1', mod: 'ROUTER' };
const json = logFormatter({ format: 'json', level: 'info', colors: false });
const pretty = logFormatter({ format: 'pretty', level: 'info', colors: false });

/** The one line that is printed, parsed. */
function line(...args: unknown[]): Record<string, unknown> {
  const texts = json('info', args, bindings);
  expect(texts).toHaveLength(1);
  expect(texts[0]).not.toContain('\n');
  return JSON.parse(texts[0]!) as Record<string, unknown>;
}

beforeEach(() => void jest.useFakeTimers({ now: new Date('2026-11-20T10:00:00.123Z') }));
afterEach(() => void jest.useRealTimers());

describe('json', () => {
  it('is one line with time, level, node, module and message', () => {
    expect(line('hello')).toEqual({
      time: '2026-11-20T10:00:00.123Z',
      level: 'info',
      node: 'server-1',
      module: 'ROUTER',
      message: 'hello',
    });
  });

  it('has the fields of a context beside the message', () => {
    expect(line('message accepted', { event: 'accepted', messageId: 'x' })).toMatchObject({
      message: 'message accepted',
      event: 'accepted',
      messageId: 'x',
    });
  });

  it('joins several texts, and the fields of several contexts', () => {
    expect(line('a', { x: 1 }, 'b', 2, { y: 2 })).toMatchObject({ message: 'a b 2', x: 1, y: 2 });
  });

  it('stays one line with line breaks in the text and in a field', () => {
    expect(line('a\nb', { why: 'c\r\nd' })).toMatchObject({ message: 'a\nb', why: 'c\r\nd' });
  });

  it('tells an error with its stack', () => {
    const error = new TypeError('broken');
    expect(line('failed:', error).message).toBe(`failed: ${error.stack}`);
  });

  it('tells an error without a stack by its message', () => {
    const error = Object.assign(new Error('broken'), { stack: undefined });
    expect(line(error).message).toBe('broken');
  });

  it.each([
    [null, 'null'],
    [undefined, 'undefined'],
    [[1, 'a'], "[ 1, 'a' ]"],
    [1n, '1n'],
  ])('writes %p as people would', (value, text) => {
    expect(line(value).message).toBe(text);
  });

  it('has an empty message when only a context is told', () => {
    expect(line({ x: 1 })).toMatchObject({ message: '', x: 1 });
  });

  it('gets by without a node and a module', () => {
    expect(JSON.parse(json('warn', ['x'], {})[0]!)).toEqual({
      time: '2026-11-20T10:00:00.123Z',
      level: 'warn',
      message: 'x',
    });
  });

  it.each([
    ['a circle', circle()],
    ['a number that JSON lacks', { count: 1n }],
    ['a member that throws', { toJSON: () => raise('no JSON') }],
  ])('survives a context with %s: what is logged must not end what it is about', (_what, context) => {
    expect(line('still there', context)).toMatchObject({
      message: 'still there',
      context: expect.any(String) as unknown,
    });
  });
});

describe('pretty', () => {
  it('is time, level and module, the texts, and the context at the end', () => {
    expect(pretty('warn', ['hello', { id: 'x' }, 'there'], bindings)).toEqual([
      '10:00:00.123Z WARN  ROUTER:',
      'hello',
      'there',
      "{ id: 'x' }",
    ]);
  });

  it('has nothing at the end without a context', () => {
    expect(pretty('info', ['hello'], {})).toEqual(['10:00:00.123Z INFO  :', 'hello']);
    expect(pretty('info', ['hello', {}], {})).toHaveLength(2);
  });

  it('has colours only when asked for', () => {
    const colourful = logFormatter({ format: 'pretty', level: 'info', colors: true });
    expect(colourful('info', [{ id: 'x' }], bindings)[1]).toContain('\u001b[');
    expect(pretty('info', [{ id: 'x' }], bindings)[1]).not.toContain('\u001b[');
  });

  it('survives a circle', () => {
    expect(pretty('info', ['x', circle()], bindings)[2]).toContain('Circular');
  });
});

function circle(): object {
  const self: Record<string, unknown> = { id: 'x' };
  self.self = self;
  return self;
}

function raise(why: string): never {
  throw new Error(why);
}
