import { Errors, type ServiceBroker } from 'moleculer';
import type { Command } from '../../../lib/repl/command';
import { replCommands } from '../../../lib/repl/commands';
import { age, table } from '../../../lib/repl/table';
import { FinalError } from '../../../lib/errors';

const AGENT = '3f1a5c1e-6f0e-4c0b-9d0f-0a1b2c3d4e01';

let printed: string;
let call: jest.Mock<Promise<unknown>, [string, object?, object?]>;
let broker: ServiceBroker;

beforeEach(() => {
  printed = '';
  jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  call = jest.fn((_action: string, _params?: object, _options?: object): Promise<unknown> => Promise.resolve([]));
  const nodes = [{ id: 'server-1', services: [{ name: 'gateway.io' }] }];
  broker = { call, registry: { getNodeList: () => nodes } } as unknown as ServiceBroker;
});

afterEach(() => jest.restoreAllMocks());

const named = (name: string) => replCommands.find(({ command }) => command.split(' ')[0] === name) as Command;

const DONE = { queue: 'q', dryRun: false, matched: 3, replayed: 2, failed: 1, left: 1, complete: false };

describe('the commands of the REPL', () => {
  it.each([
    ['agents', {}, {}, 'router.agents', undefined],
    ['queues', {}, {}, 'dlq-monitor.queues', undefined],
    ['message', { id: 'a' }, { search: true }, 'router.message', { id: 'a', search: true }],
    ['dlq', { what: 'list' }, { reasons: true }, 'dlq-monitor.list', { reasons: true }],
    ['dlq', { what: 'peek', agentId: AGENT }, { limit: '5' }, 'dlq-monitor.peek', { agentId: AGENT, limit: 5 }],
    [
      'dlq',
      { what: 'replay', agentId: AGENT },
      { ids: 'a,b', dryRun: true },
      'dlq-monitor.replay',
      { agentId: AGENT, ids: ['a', 'b'], dryRun: true },
    ],
    [
      'dlq',
      { what: 'purge', agentId: AGENT },
      { from: 'x', to: 'y' },
      'dlq-monitor.purge',
      { agentId: AGENT, from: 'x', to: 'y' },
    ],
    ['sync', { when: 'now' }, { accept: true }, 'config-sync.sync', { accept: true }],
  ])('%s %j %j asks %s', async (name, args, options, action, params) => {
    await named(name).action(broker, { ...args, options: { ...options, json: true } });
    const [asked, given] = call.mock.calls[0] ?? [];
    expect(asked).toBe(action);
    expect(given && JSON.parse(JSON.stringify(given))).toEqual(params);
    expect(JSON.parse(printed)).toBeDefined();
  });

  it('drain asks the node that it is about', async () => {
    call.mockResolvedValueOnce({ agents: 3, stayed: 1 });
    await named('drain').action(broker, { node: 'server-1', options: { force: true } });
    expect(call).toHaveBeenCalledWith('gateway.io.drain', { force: true, undo: false }, { nodeID: 'server-1' });
    expect(printed).toBe('server-1 sent 3 agents away, 1 are still there, and lets nobody in.\n');
  });

  it('a replay that did not get through says so', async () => {
    call.mockResolvedValueOnce({ ...DONE, error: { code: 'QUEUE_MISSING', message: 'declare it' } });
    await named('dlq').action(broker, { what: 'replay', agentId: AGENT, options: { all: true } });
    expect(printed).toMatch(/replayed +2\nfailed +1\nleft +1\nQUEUE_MISSING +declare it\nnote +not everything/);
  });

  it.each(['', ',', ' , '])('asks for nothing with ids that are none: "%s"', async (ids) => {
    await named('dlq').action(broker, { what: 'purge', agentId: AGENT, options: { ids } });
    expect(call).not.toHaveBeenCalled();
    expect(printed).toBe('--ids wants at least one id\n');
  });

  it('drops the empty ones among ids', async () => {
    await named('dlq').action(broker, { what: 'purge', agentId: AGENT, options: { ids: 'a,, b,' } });
    expect(call).toHaveBeenCalledWith('dlq-monitor.purge', expect.objectContaining({ ids: ['a', 'b'] }));
  });

  it.each([
    [new FinalError('AGENT_UNKNOWN', 'nobody'), 'AGENT_UNKNOWN', 'nobody'],
    [Object.assign(new Error('from another node'), { code: 'QUEUE_BUSY' }), 'QUEUE_BUSY', 'from another node'],
    [new Errors.RequestTimeoutError({ action: 'a', nodeID: 'n' }), 'TIMEOUT', 'No answer in time'],
    [new Errors.ValidationError('wrong', 'V', [{ message: 'The field.' }]), 'USAGE', 'The field.'],
  ])('an answer that says what is wrong is one line: %s', async (error, code, message) => {
    call.mockRejectedValue(error);
    await named('queues').action(broker, { options: {} });
    expect(printed).toMatch(new RegExp(`^${message}[^\n]*\n$`));
    printed = '';
    await named('queues').action(broker, { options: { json: true } });
    expect(JSON.parse(printed)).toMatchObject({ error: { code } });
  });

  it('anything unexpected is an error of the REPL', async () => {
    call.mockRejectedValueOnce(Object.assign(new Error('ECONNREFUSED'), { code: 500 }));
    await expect(named('queues').action(broker, { options: {} })).rejects.toThrow('ECONNREFUSED');
    expect(printed).toBe('');
  });
});

describe('a table', () => {
  it('lets nothing through that a terminal would obey', () => {
    expect(table([['id', (row: string) => row]], ['\u001b[2Jgone', 'two\nlines'])).toBe('id\n?[2Jgone\ntwo?lines');
  });

  it.each([
    [null, null],
    [0, '0 s'],
    [119, '119 s'],
    [120, '2 min'],
    [7200, '2 h'],
  ])('shows an age of %s s as %s', (seconds, text) => {
    expect(age(seconds)).toBe(text);
  });
});
