import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { isWhole } from '../../../lib/agents/agent-list';
import { fetchAgents, type CentOpsAccess } from '../../../lib/agents/centops-client';
import { RetryableError } from '../../../lib/errors';
import { type CentOps, startCentOps } from '../../helpers/centops';
import { type AgentRecord, makeIdentity, toAgentRecord } from '../../helpers/keys';

const agents = ['alpha', 'beta', 'gamma', 'delta', 'epsilon'].map(makeIdentity);
const records = agents.map(toAgentRecord);

let centOps: CentOps;
let flat: CentOpsAccess;
let paged: CentOpsAccess;
const others: CentOps[] = [];

beforeEach(async () => {
  centOps = await startCentOps(agents);
  flat = { url: centOps.url };
  paged = { url: centOps.pagedUrl, apiKey: centOps.apiKey, apiSecret: centOps.apiSecret };
});

afterEach(() => Promise.all([centOps, ...others.splice(0)].map((each) => each.close())));

async function failureCode(config: CentOpsAccess): Promise<string> {
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
      expect(list.contradicted).toEqual([double.id]);
    }
  });

  it('answers with an empty list when CentOps does', async () => {
    centOps.failWith({ kind: 'empty' });
    await expect(fetchAgents(flat)).resolves.toEqual({ agents: [], rejected: [] });
    await expect(fetchAgents(paged)).resolves.toEqual({ agents: [], rejected: [] });
  });

  it('reads every page of a paged list that wants no credentials', async () => {
    const url = await serve((page) => ({ items: [entryOf(records[page - 1]!)], totalPages: 3 }));
    await expect(fetchAgents({ url })).resolves.toEqual({ agents: records.slice(0, 3), rejected: [] });
  });

  it('is not fooled by a list that repeats its first page for every other', async () => {
    const url = await serve(() => ({ items: records.slice(0, 2).map(entryOf), totalPages: 3 }));
    const list = await fetchAgents({ url });
    expect(list.agents).toEqual(records.slice(0, 2));
    expect(list.rejected).not.toEqual([]);
  });
});

describe('a list is not whole', () => {
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
    expect(isWhole(list)).toBe(false);
  });

  it('when CentOps goes blank in the middle', async () => {
    centOps.failWith({ kind: 'empty' }, 2);
    expect(isWhole(await fetchAgents(paged))).toBe(false);
  });

  it('when there are more pages than are read', async () => {
    const url = await serve((page) => ({ items: [entryOf({ ...records[0]!, id: idOf(page) })], totalPages: 1001 }));
    const list = await fetchAgents({ ...paged, url });
    expect(list.agents).toHaveLength(1000);
    expect(list.rejected).toEqual(['only 1000 of 1001 pages are read']);
  }, 30_000);
});

describe('an answer that never ends well', () => {
  it('fails when all pages together take too long, though each is in time', async () => {
    centOps.failWith({ kind: 'slow', delayMs: 1000 });
    const asked = fetchAgents(paged, undefined, 1800).catch((error: unknown) => error);
    await expect(asked).resolves.toMatchObject({ code: 'CENTOPS_UNREACHABLE' });
    expect(centOps.requests.map(({ page }) => page)).toEqual([1, 2]);
  });

  it('is given up when the node stops', async () => {
    centOps.failWith({ kind: 'hang' });
    const stop = new AbortController();
    const asked = fetchAgents(flat, stop.signal).catch((error: unknown) => error);
    stop.abort();
    await expect(asked).resolves.toMatchObject({ code: 'CENTOPS_UNREACHABLE' });
  });

  it('is read no further than 20 MB, which all pages share', async () => {
    centOps.failWith({ kind: 'huge', bytes: 21_000_000 });
    await expect(failureCode(flat)).resolves.toBe('CENTOPS_ANSWER_INVALID');
    centOps.failWith({ kind: 'huge', bytes: 8_000_000 });
    await expect(failureCode(paged)).resolves.toBe('CENTOPS_ANSWER_INVALID');
    expect(centOps.requests.filter(({ shape }) => shape === 'paged')).toHaveLength(3);
  });

  it('is no list when it has more entries than any mesh has agents', async () => {
    const url = await serve(() => ({ items: new Array(20_001).fill(0), totalPages: 1 }));
    await expect(failureCode({ url })).resolves.toBe('CENTOPS_ANSWER_INVALID');
  });
});

describe('a redirect', () => {
  it('is followed within CentOps, with the credentials', async () => {
    centOps.failWith({ kind: 'redirect', to: '/clients' });
    const url = new URL('/moved', centOps.url).href;
    await expect(fetchAgents({ ...paged, url })).resolves.toMatchObject({ agents: records.slice(0, 2) });
    expect(centOps.requests.every(({ authorized }) => authorized)).toBe(true);
  });

  it('to another host is refused: neither credentials nor trust go there', async () => {
    const other = await startCentOps(agents);
    others.push(other);
    centOps.failWith({ kind: 'redirect', to: other.pagedUrl });
    const error: unknown = await fetchAgents(paged).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'CENTOPS_REFUSED' });
    expect(String(error)).toContain('CENTOPS_CONFIGURATION_URL');
    expect(other.requests).toEqual([]);
  });

  it('in circles ends', async () => {
    centOps.failWith({ kind: 'redirect', to: '/agents' });
    await expect(failureCode(flat)).resolves.toBe('CENTOPS_REFUSED');
    expect(centOps.requests).toHaveLength(4);
  });
});

it('says nothing of the credentials in any error', async () => {
  const credentials = { apiKey: 'planted-key', apiSecret: 'planted-secret' };
  const picky = await startCentOps(agents, credentials);
  const access = { url: picky.pagedUrl, ...credentials };
  const encoded = Buffer.from('planted-key:planted-secret').toString('base64');
  const texts: string[] = [];
  for (const kind of ['hang', 'invalid-json', 'redirect', 'status'] as const) {
    picky.failWith({ kind, to: 'http://127.0.0.1:1/', status: 500 });
    const signal = AbortSignal.timeout(300);
    const error: unknown = await fetchAgents(access, signal).catch((thrown: unknown) => thrown);
    for (let cause = error; cause instanceof Error; cause = cause.cause) texts.push(cause.message, String(cause.stack));
  }
  await picky.close();
  expect(texts.length).toBeGreaterThanOrEqual(8);
  for (const text of texts) expect(text).not.toMatch(new RegExp(`planted|${encoded}`));
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
