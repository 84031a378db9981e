import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { Readable } from 'node:stream';
import tty from 'node:tty';
import { ServiceBroker } from 'moleculer';
import type { LoggerConfig } from '../../../lib/config';
import { loggerOptions } from '../../../lib/telemetry/log-output';

/** The logger of one module, and what it has printed. */
function logger(format: LoggerConfig['format'], change: Partial<LoggerConfig> = {}) {
  const config: LoggerConfig = { format, colors: false, level: 'trace', ...change };
  const printed: string[] = [];
  const options = loggerOptions(config, (line) => void printed.push(line));
  const broker = new ServiceBroker({ nodeID: 'server-1', logger: options, logLevel: config.level });
  printed.length = 0;
  return { log: broker.getLogger('ROUTER'), printed };
}

/** The one line that is printed, parsed. */
function line(...args: unknown[]): Record<string, unknown> {
  const { log, printed } = logger('json');
  log.info(...args);
  expect(printed).toHaveLength(1);
  expect(printed[0]).toMatch(/^[^\n]+\n$/);
  return JSON.parse(printed[0]!) as Record<string, unknown>;
}

jest.setTimeout(60_000);

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
    const context = { event: 'accepted', messageId: 'x', tries: 2, ok: true, types: ['A', 'B'], code: null };
    expect(line('message accepted', context)).toMatchObject({ message: 'message accepted', ...context });
  });

  it('joins several texts, and the fields of several contexts', () => {
    expect(line('a', { x: 1 }, 'b', 2, { y: 2 })).toMatchObject({ message: 'a b 2', x: 1, y: 2 });
  });

  it('takes nothing in a text for a place to fill in', () => {
    expect(line('100 %s of %d %o', 'x', { y: 1 })).toMatchObject({ message: '100 %s of %d %o x', y: 1 });
  });

  it('stays one line with line breaks in the text and in a field', () => {
    expect(line('a\nb', { why: 'c\r\nd' })).toMatchObject({ message: 'a\nb', why: 'c\r\nd' });
  });

  it('lets no field pass for what the line says of itself', () => {
    const own = { time: 1, level: 'fatal', node: 'n', module: 'm', message: 'forged' };
    expect(line('hello', own)).toEqual({
      ...{ time: '2026-11-20T10:00:00.123Z', level: 'info', node: 'server-1', module: 'ROUTER', message: 'hello' },
      ...{ time_: 1, level_: 'fatal', node_: 'n', module_: 'm', message_: 'forged' },
    });
  });

  it('keeps the names that every object has from breaking the line', () => {
    const own = JSON.parse('{"constructor":[],"toString":{"a":1},"__proto__":{"b":1}}') as object;
    expect(line('x', own)).toMatchObject({ message: 'x', constructor_: [], toString_: { a: 1 }, __proto___: { b: 1 } });
  });

  it('tells an error with its stack, and one in a field by its message', () => {
    const error = new TypeError('broken', { cause: Object.assign(new Error('x'), { code: 'ECONNREFUSED' }) });
    expect(line('failed:', error, { why: error })).toMatchObject({
      message: `failed: ${error.stack}`,
      why: 'broken (ECONNREFUSED)',
    });
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
    [Buffer.alloc(30_000), '30000 bytes'],
  ])('writes %p as people would', (value, text) => {
    expect(line(value).message).toBe(text);
  });

  it('has an empty message when only a context is told', () => {
    expect(line({ x: 1 })).toMatchObject({ message: '', x: 1 });
  });

  it.each([
    ['bytes', new Uint8Array(30_000), '30000 bytes'],
    ['a long text', 'x'.repeat(100_000), expect.stringMatching(/^x{8192}…$/)],
    ['a long list', Array.from({ length: 9000 }, () => 1), '18001 characters are left out'],
    ['a number that JSON lacks', 1n, '1'],
    ['a circle', circle(), expect.stringContaining('cannot be printed')],
    ['a member that throws', { toJSON: () => raise('no JSON') }, expect.stringContaining('cannot be printed')],
  ])('tells %s in a field in few words', (_what, value, told) => {
    expect(line('x', { value })).toMatchObject({ message: 'x', value: told as unknown });
  });

  it('survives a context that does not let itself be looked at', () => {
    const hostile = { get field() { return raise('no field'); } }; // prettier-ignore
    expect(line('x', hostile).message).toBe('something was logged that cannot be printed');
  });

  it.each(['authorization', 'Authorization', 'token', 'password', 'key', 'privateKey', 'apiKey', 'apiSecret'])(
    'never prints a field %s, however deep it lies',
    (name) => {
      const text = JSON.stringify(line('x', { [name]: 'canary', inner: { list: [{ [name]: 'canary' }] } }));
      expect(text).not.toContain('canary');
      expect(text.match(/\[not shown\]/g)).toHaveLength(2);
    },
  );

  it.each(['error', 'warn', 'info', 'debug', 'trace'] as const)('has the level %s and what is graver', (level) => {
    const { log, printed } = logger('json', { level });
    const all = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;
    for (const one of all) log[one]('x');
    const levels = printed.map((text) => (JSON.parse(text) as { level: string }).level);
    expect(levels).toEqual(all.slice(0, all.indexOf(level) + 1));
  });
});

describe('pretty', () => {
  const print = (colors: boolean, ...args: unknown[]) => {
    const { log, printed } = logger('pretty', { colors });
    log.warn(...args);
    return printed.join('');
  };

  it('is time, level and module, the texts, and the context at the end', () => {
    expect(print(false, 'hello', { id: 'x\ny', token: 'canary' }, 'there {time}')).toBe(
      '[10:00:00.123] WARN: ROUTER: hello there {time} {"id":"x\\ny","token":"[not shown]"}\n',
    );
    expect(print(false, 'hello', {})).toBe('[10:00:00.123] WARN: ROUTER: hello\n');
  });

  it('has colours only when asked for', () => {
    expect(print(true, 'x', { id: 'x' })).toContain('\u001b[');
    expect(print(false, 'x', { id: 'x' })).not.toContain('\u001b[');
  });
});

describe('auto', () => {
  afterEach(() => void jest.restoreAllMocks());

  it.each([
    ['pretty on a terminal', true, /^\[10:00:00\.123\] INFO: ROUTER: hello\n$/],
    ['json elsewhere', false, /^\{.*"message":"hello"\}\n$/],
  ])('is %s', (_what, terminal, form) => {
    jest.spyOn(tty, 'isatty').mockReturnValue(terminal);
    const { log, printed } = logger('auto');
    log.info('hello');
    expect(printed.join('')).toMatch(form);
  });
});

describe('a process that ends', () => {
  const ROOT = path.join(__dirname, '../../..');
  const argumentsFor = (end: string) => {
    const code = `
      const { ServiceBroker } = require('moleculer');
      const { loggerOptions } = require('./lib/telemetry/log-output');
      const logger = loggerOptions({ format: 'json', level: 'info', colors: false });
      const log = new ServiceBroker({ logger }).getLogger('X');
      for (let i = 0; i < 5000; i++) log.info('line', { i });
      log.info('the last');
      ${end}`;
    return ['--require', 'tsx/cjs', '-e', code];
  };
  beforeEach(() => void jest.useRealTimers());

  it.each([
    ['by itself', 'process.exit(3)'],
    ['of an error', 'throw new Error("x")'],
    ['of a promise', 'void Promise.reject(new Error("x"))'],
  ])('%s has printed every line, whole and in order', (_how, end) => {
    const options = { cwd: ROOT, encoding: 'utf8', maxBuffer: 2 ** 26 } as const;
    const { stdout } = spawnSync(process.execPath, argumentsFor(end), options);
    const entries = stdout
      .trimEnd()
      .split('\n')
      .map((text) => JSON.parse(text) as { message: string; i?: number });
    const numbers = entries.filter(({ message }) => message === 'line').map(({ i }) => i);
    expect(numbers).toEqual(Array.from({ length: 5000 }, (_, i) => i));
    expect(entries.at(-1)?.message).toBe('the last');
  });

  it.each([
    ['is gone', (stdout: Readable) => void stdout.destroy()],
    ['never reads', (stdout: Readable) => void stdout.pause()],
  ])('ends though its reader %s', async (_what, treat) => {
    const options = { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] } as const;
    const child = spawn(process.execPath, argumentsFor('process.exit(3)'), { ...options, stdio: [...options.stdio] });
    treat(child.stdout);
    const [code] = (await once(child, 'exit', { signal: AbortSignal.timeout(30_000) })) as [number];
    expect(code).toBe(3);
    child.stdout.destroy();
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
