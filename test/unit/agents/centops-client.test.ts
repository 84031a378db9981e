import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { fetchAgents } from '../../../lib/agents/centops-client';
import { mergeAnswer } from '../../../lib/agents/sync';
import type { CentOpsConfig } from '../../../lib/config/types';
import { RetryableError } from '../../../lib/errors';
import { type CentOps, startCentOps } from '../../helpers/centops';
import { type AgentRecord, makeIdentity, toAgentRecord } from '../../helpers/keys';

const agents = ['alpha', 'beta', 'gamma', 'delta', 'epsilon'].map(makeIdentity);
const records = agents.map(toAgentRecord);
const cron = '* * * * *';

let centOps: CentOps;
let flat: CentOpsConfig;
let paged: CentOpsConfig;

beforeEach(async () => {
  centOps = await startCentOps(agents);
  flat = { url: centOps.url, cron };
  paged = { url: centOps.pagedUrl, cron, apiKey: centOps.apiKey, apiSecret: centOps.apiSecret };
});

afterEach(() => centOps.close());

async function failureCode(config: CentOpsConfig): Promise<string> {
  const error: unknown = await fetchAgents(config).catch((thrown: unknown) => thrown);
  if (!(error instanceof RetryableError)) throw new Error(`no failure: ${JSON.stringify(error)}`);
  return error.code;
}

describe('fetchAgents', () => {
  it('reads the flat shape without credentials', async () => {
    await expect(fetchAgents(flat)).resolves.toEqual({ agents: records, rejected: [] });
    expect(centOps.requests).toEqual([{ shape: 'flat', page: undefined, authorized: true }]);
  });

  it('reads every page of the paged shape, each once, with base64(key:secret)', async () => {
    await expect(fetchAgents(paged)).resolves.toEqual({ agents: records, rejected: [] });
    expect(centOps.requests).toEqual([1, 2, 3].map((page) => ({ shape: 'paged', page, authorized: true })));
  });

  it('reads the flat shape with credentials as well', async () => {
    await expect(fetchAgents({ ...paged, url: centOps.url })).resolves.toEqual({ agents: records, rejected: [] });
  });

  it('keeps the query that the URL has', async () => {
    await fetchAgents({ ...paged, url: `${centOps.pagedUrl}?tenant=ee&page=7` });
    expect(centOps.requests.map(({ page }) => page)).toEqual([1, 2, 3]);
  });

  it('says so when CentOps does not know the credentials', async () => {
    await expect(failureCode({ ...paged, apiSecret: 'wrong' })).resolves.toBe('CENTOPS_REFUSED');
  });

  it.each([400, 404, 500, 503, 304])('fails on status %d', async (status) => {
    centOps.failWith({ kind: 'status', status });
    await expect(failureCode(flat)).resolves.toBe('CENTOPS_REFUSED');
  });

  it('fails on half of a JSON text', async () => {
    centOps.failWith({ kind: 'invalid-json' });
    await expect(failureCode(flat)).resolves.toBe('CENTOPS_ANSWER_INVALID');
  });

  it('fails when nobody listens', async () => {
    await expect(failureCode({ ...flat, url: 'http://127.0.0.1:1/agents' })).resolves.toBe('CENTOPS_UNREACHABLE');
  });

  it('fails as a whole when any page fails', async () => {
    centOps.failWith({ kind: 'status', status: 500 }, 3);
    await expect(failureCode(paged)).resolves.toBe('CENTOPS_REFUSED');
    expect(centOps.requests).toHaveLength(3);
  });

  it('does not wait for ever', async () => {
    // Ten seconds of waiting, shortened.
    const timeout = jest.spyOn(AbortSignal, 'timeout').mockReturnValue(AbortSignal.abort());
    centOps.failWith({ kind: 'hang' });
    await expect(failureCode(flat)).resolves.toBe('CENTOPS_UNREACHABLE');
    expect(timeout).toHaveBeenCalledWith(10_000);
    timeout.mockRestore();
  });

  it('gives what is valid of a half-valid answer, and the reasons for the rest', async () => {
    centOps.failWith({ kind: 'half-valid' });
    for (const config of [flat, paged]) {
      const list = await fetchAgents(config);
      expect(list.agents).toEqual([records[0]]);
      expect(list.rejected).toHaveLength(7);
    }
  });

  it('takes the first entry of an id that is listed twice, and calls the list doubtful', async () => {
    const double = { ...agents[4]!, id: agents[0]!.id };
    centOps.agents = [...agents, double];
    for (const config of [flat, paged]) {
      const list = await fetchAgents(config);
      expect(list.agents).toEqual(records);
      expect(list.rejected).toEqual([`agent ${double.id} is listed twice`]);
    }
  });

  it('answers with an empty list when CentOps does', async () => {
    centOps.failWith({ kind: 'empty' });
    await expect(fetchAgents(flat)).resolves.toEqual({ agents: [], rejected: [] });
    await expect(fetchAgents(paged)).resolves.toEqual({ agents: [], rejected: [] });
  });

  it('reads every page of a paged list that wants no credentials', async () => {
    const url = await serve((page) => ({ items: [entryOf(records[page - 1]!)], totalPages: 3 }));
    await expect(fetchAgents({ url, cron })).resolves.toEqual({ agents: records.slice(0, 3), rejected: [] });
  });

  it('is not fooled by a list that repeats its first page for every other', async () => {
    const url = await serve(() => ({ items: records.slice(0, 2).map(entryOf), totalPages: 3 }));
    const list = await fetchAgents({ url, cron });
    expect(list.agents).toEqual(records.slice(0, 2));
    expect(list.rejected).not.toEqual([]);
  });
});

describe('a list that is not whole takes nobody away', () => {
  const left = toAgentRecord(makeIdentity('left'));

  it.each([
    ['a page that should hold agents holds none', (page: number) => page !== 2, () => 3],
    ['a later page counts fewer pages', () => true, (page: number) => (page === 2 ? 2 : 3)],
    ['a later page counts more pages', () => true, (page: number) => (page === 1 ? 3 : 4)],
  ])('when %s', async (_why, hasAgents, totalPages) => {
    const url = await serve((page) => ({
      items: page <= 3 && hasAgents(page) ? [entryOf(records[page - 1]!)] : [],
      totalPages: totalPages(page),
    }));
    const list = await fetchAgents({ ...paged, url });
    expect(list.agents).toContainEqual(records[2]);
    expect(list.rejected).not.toEqual([]);
    expect(mergeAnswer([...records, left], list)).toHaveLength(6);
  });

  it('when CentOps goes blank in the middle', async () => {
    centOps.failWith({ kind: 'empty' }, 2);
    expect(mergeAnswer([...records, left], await fetchAgents(paged))).toHaveLength(6);
  });

  it('when there are more pages than are read', async () => {
    const url = await serve((page) => ({ items: [entryOf({ ...records[0]!, id: idOf(page) })], totalPages: 1001 }));
    const list = await fetchAgents({ ...paged, url });
    expect(list.agents).toHaveLength(1000);
    expect(list.rejected).toEqual(['only 1000 of 1001 pages are read']);
  });
});

/** A CentOps of our own making, for what none should do. */
async function serve(response: (page: number) => object): Promise<string> {
  const server = createServer((request, answer) => {
    const page = Number(new URL(request.url ?? '/', 'http://centops').searchParams.get('page') ?? 1);
    answer.end(JSON.stringify({ response: response(page) }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  servers.push(server);
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

const servers: ReturnType<typeof createServer>[] = [];

afterAll(() => {
  for (const server of servers) server.close().closeAllConnections();
});

/** The paged form of a record. */
function entryOf({ id: clientId, ...rest }: AgentRecord): object {
  return { clientId, ...rest };
}

const idOf = (index: number): string => `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`;
