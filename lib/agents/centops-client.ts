import type { CentOpsConfig } from '../config/types';
import { DmrError, messageOf, RetryableError } from '../errors';
import type { AgentRecord } from './agent-record';
import { readPage, type CentOpsPage } from './centops-answer';

/** All agents that CentOps lists. */
export interface CentOpsList {
  agents: AgentRecord[];
  /** Why entries were left out; a list with any is not whole, so nothing may be deleted by it. */
  rejected: string[];
  /** Agents that are listed more than once with different contents, in the spelling of `agents`. */
  contradicted?: string[];
}

/** What it takes to ask CentOps. */
export type CentOpsAccess = Pick<CentOpsConfig, 'url' | 'apiKey' | 'apiSecret'>;

const PAGE_SIZE = 100;
const MAX_PAGES = 1000;
const PAGE_TIMEOUT_MS = 10_000;
const LOOK_TIMEOUT_MS = 45_000;
/** For all pages together. */
const MAX_BYTES = 20_000_000;
const MAX_REDIRECTS = 3;

/** What one look may still cost. */
interface Budget {
  /** When it must have ended, ms since the epoch. */
  deadline: number;
  bytes: number;
  stop?: AbortSignal;
}

/**
 * Reads every page of CentOps' list, within 45 s and 20 MB for all of them. Throws RetryableError: CENTOPS_UNREACHABLE
 * (also when `signal` ends it), CENTOPS_REFUSED (its HTTP status, or a redirect to another host) or
 * CENTOPS_ANSWER_INVALID.
 */
export async function fetchAgents(
  config: CentOpsAccess,
  signal?: AbortSignal,
  limitMs = LOOK_TIMEOUT_MS,
): Promise<CentOpsList> {
  const list: CentOpsList = { agents: [], rejected: [] };
  const budget: Budget = { deadline: Date.now() + limitMs, bytes: MAX_BYTES, stop: signal };
  let totalPages = 1;
  for (let page = 1; page <= Math.min(totalPages, MAX_PAGES); page++) {
    const answer = readPage(await fetchPage(config, page, budget));
    list.agents.push(...answer.agents);
    list.rejected.push(...answer.rejected, ...(page > 1 ? doubtsAbout(page, answer, totalPages) : []));
    totalPages = Math.max(totalPages, answer.totalPages);
  }
  if (totalPages > MAX_PAGES) list.rejected.push(`only ${MAX_PAGES} of ${totalPages} pages are read`);
  return withoutDoubles(list);
}

/** A list that changes while its pages are read may lack agents: whoever is missing need not have left. */
function doubtsAbout(page: number, { agents, rejected, totalPages }: CentOpsPage, before: number): string[] {
  const doubts: string[] = [];
  if (totalPages !== before) doubts.push(`page ${page} counts ${totalPages} pages, the one before ${before}`);
  if (agents.length + rejected.length === 0) doubts.push(`page ${page} of ${before} is empty`);
  return doubts;
}

async function fetchPage(config: CentOpsAccess, page: number, budget: Budget): Promise<unknown> {
  const url = new URL(config.url);
  const headers: Record<string, string> = { accept: 'application/json' };
  // The flat form knows no pages and is not asked for them; one that turns out to be paged is, key or not.
  if (config.apiKey !== undefined || page > 1) {
    url.searchParams.set('page', String(page));
    url.searchParams.set('pageSize', String(PAGE_SIZE));
  }
  if (config.apiKey !== undefined) {
    headers.authorization = Buffer.from(`${config.apiKey}:${config.apiSecret}`).toString('base64');
  }
  try {
    const signal = signalOf(budget);
    return await readBody(await request(url, { headers, signal }), budget);
  } catch (error) {
    if (error instanceof DmrError) throw error;
    throw new RetryableError('CENTOPS_UNREACHABLE', `CentOps cannot be reached: ${messageOf(error)}`, { cause: error });
  }
}

function signalOf({ deadline, stop }: Budget): AbortSignal {
  const late = AbortSignal.timeout(Math.max(0, Math.min(PAGE_TIMEOUT_MS, deadline - Date.now())));
  return stop ? AbortSignal.any([stop, late]) : late;
}

/** Follows redirects within CentOps; another host has no business with the credentials, nor with the list. */
async function request(url: URL, init: RequestInit, redirects = MAX_REDIRECTS): Promise<Response> {
  const response = await fetch(url, { ...init, redirect: 'manual' });
  const location = response.headers.get('location');
  if (response.status < 300 || response.status > 399 || location === null) return response;
  await response.body?.cancel();
  const target = URL.canParse(location, url) ? new URL(location, url) : undefined;
  if (target?.origin !== url.origin || redirects === 0) {
    const where = target?.origin === url.origin ? 'in circles' : 'to another host';
    const advice = 'CENTOPS_CONFIGURATION_URL must name the place of the list itself';
    throw new RetryableError('CENTOPS_REFUSED', `CentOps redirects ${where}; ${advice}`);
  }
  return request(target, init, redirects - 1);
}

async function readBody(response: Response, budget: Budget): Promise<unknown> {
  if (!response.ok) {
    await response.body?.cancel();
    throw new RetryableError('CENTOPS_REFUSED', `CentOps answered with status ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    budget.bytes -= chunk.length;
    if (budget.bytes < 0) {
      throw new RetryableError('CENTOPS_ANSWER_INVALID', `CentOps answered with more than ${MAX_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  try {
    return JSON.parse(new TextDecoder().decode(Buffer.concat(chunks)));
  } catch (cause) {
    throw new RetryableError('CENTOPS_ANSWER_INVALID', 'CentOps answered something that is not JSON', { cause });
  }
}

/** The first entry of an id counts; a second one makes the list doubtful. The case of a UUID makes no difference. */
function withoutDoubles(list: CentOpsList): CentOpsList {
  const seen = new Map<string, AgentRecord>();
  const contradicted = new Set<string>();
  for (const agent of list.agents) {
    const first = seen.get(agent.id.toLowerCase());
    if (!first) seen.set(agent.id.toLowerCase(), agent);
    else list.rejected.push(`agent ${agent.id} is listed twice`);
    if (first && JSON.stringify(first) !== JSON.stringify(agent)) contradicted.add(first.id);
  }
  const agents = [...seen.values()];
  if (contradicted.size === 0) return { agents, rejected: list.rejected };
  return { agents, rejected: list.rejected, contradicted: [...contradicted] };
}
