import { Errors, type ServiceBroker } from 'moleculer';
import { routesAsText, routesCommand } from '../../../lib/repl/routes-command';
import type { Route, RoutingTable } from '../../../lib/router/routes';

const ALPHA = '3f1a5c1e-6f0e-4c0b-9d0f-0a1b2c3d4e01';
const BETA = '7b2d9e44-1c57-4a8e-8f3b-5e6f7a8b9c02';

const here: Route = {
  agentId: ALPHA,
  name: 'alpha',
  node: 'server-1',
  socketSince: '2026-11-20T10:00:00.000Z',
  queue: 0,
  inFlight: 3,
  dlq: 12,
};
const away: Route = { agentId: BETA, name: 'b', node: null, socketSince: null, queue: null, inFlight: null, dlq: null };

const table: RoutingTable = { routes: [here, away], silentNodes: ['server-2'] };

describe('routesAsText', () => {
  it('is a table with a line for each agent, `-` for nothing, and a line for each silent node', () => {
    expect(routesAsText(table).split('\n')).toEqual([
      'agent                                 name   node      socket since              queue  in flight  dlq',
      `${ALPHA}  alpha  server-1  2026-11-20T10:00:00.000Z  0      3          12`,
      `${BETA}  b      -         -                         -      -          -`,
      '! server-2 did not answer; its agents stand here without a node',
    ]);
  });

  it('is the titles alone when there is no agent', () => {
    const text = routesAsText({ routes: [], silentNodes: [] });
    expect(text).toBe('agent  name  node  socket since  queue  in flight  dlq');
  });
});

describe('the command routes', () => {
  let printed: string;

  beforeEach(() => {
    printed = '';
    jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
      printed += String(text);
      return true;
    });
  });
  afterEach(() => jest.restoreAllMocks());

  const call = jest.fn(() => Promise.resolve(table));
  const broker = { call } as unknown as ServiceBroker;

  it('prints the table that router.routes answers', async () => {
    await routesCommand.action(broker, { options: {} });
    expect(call).toHaveBeenLastCalledWith('router.routes', { agentId: undefined });
    expect(printed).toBe(`${routesAsText(table)}\n`);
  });

  it('asks for one agent', async () => {
    await routesCommand.action(broker, { agentId: ALPHA, options: {} });
    expect(call).toHaveBeenLastCalledWith('router.routes', { agentId: ALPHA });
  });

  it('prints JSON for programs', async () => {
    await routesCommand.action(broker, { options: { json: true } });
    expect(JSON.parse(printed)).toEqual(table);
    expect(printed.endsWith('}\n')).toBe(true);
  });

  it('says so when there is no router to ask', async () => {
    call.mockRejectedValueOnce(new Errors.ServiceNotFoundError({ action: 'router.routes' }));
    await routesCommand.action(broker, { options: {} });
    expect(printed).toMatch(/^No router in reach: .*\n$/);
  });

  it('fails as the action fails, and prints nothing', async () => {
    call.mockRejectedValueOnce(new Error('no router'));
    await expect(routesCommand.action(broker, { options: {} })).rejects.toThrow('no router');
    expect(printed).toBe('');
  });
});
