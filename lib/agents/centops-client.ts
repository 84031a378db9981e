import type { CentOpsConfig } from '../config/types';
import { DmrError, messageOf, RetryableError } from '../errors';
import type { AgentRecord } from './agent-record';
import { readPage, type CentOpsPage } from './centops-answer';

/** All agents that CentOps lists. */
export interface CentOpsList {
  agents: AgentRecord[];
  /** Why entries were left out; a list with any is not whole, so nothing may be deleted by it. */
  rejected: string[];
}

const PAGE_SIZE = 100;
const MAX_PAGES = 1000;
const TIMEOUT_MS = 10_000;

/**
 * Reads every page of CentOps' list. Throws RetryableError: CENTOPS_UNREACHABLE, CENTOPS_REFUSED (its HTTP status) or
 * CENTOPS_ANSWER_INVALID.
 */
export async function fetchAgents(config: CentOpsConfig): Promise<CentOpsList> {
  const list: CentOpsList = { agents: [], rejected: [] };
  let totalPages = 1;
  for (let page = 1; page <= Math.min(totalPages, MAX_PAGES); page++) {
    const answer = readPage(await fetchPage(config, page));
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

async function fetchPage(config: CentOpsConfig, page: number): Promise<unknown> {
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
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
    return await readBody(response);
  } catch (error) {
    if (error instanceof DmrError) throw error;
    throw new RetryableError('CENTOPS_UNREACHABLE', `CentOps cannot be reached: ${messageOf(error)}`, { cause: error });
  }
}

async function readBody(response: Response): Promise<unknown> {
  if (!response.ok) {
    await response.body?.cancel();
    throw new RetryableError('CENTOPS_REFUSED', `CentOps answered with status ${response.status}`);
  }
  try {
    return await response.json();
  } catch (cause) {
    throw new RetryableError('CENTOPS_ANSWER_INVALID', 'CentOps answered something that is not JSON', { cause });
  }
}

/** The first entry of an id counts; a second one makes the list doubtful. */
function withoutDoubles(list: CentOpsList): CentOpsList {
  const seen = new Map<string, AgentRecord>();
  for (const agent of list.agents) {
    if (seen.has(agent.id)) list.rejected.push(`agent ${agent.id} is listed twice`);
    else seen.set(agent.id, agent);
  }
  return { agents: [...seen.values()], rejected: list.rejected };
}
