import Validator from 'fastest-validator';
import { importPublicKey } from '../crypto/keys';
import { messageOf, RetryableError } from '../errors';
import type { AgentRecord } from './agent-record';

/** One page of CentOps' answer, whichever shape it came in. */
export interface CentOpsPage {
  agents: AgentRecord[];
  /** Why entries were left out, one text per entry; the ids are CentOps' own, never a key. */
  rejected: string[];
  totalPages: number;
}

/** More agents than any mesh of ours holds; a longer list is none, and would hold up everything while it is read. */
const MAX_ENTRIES = 20_000;

const check = new Validator({ useNewCustomCheckerFunction: true }).compile({
  id: { type: 'uuid' },
  name: { type: 'string', max: 1000 },
  authenticationCertificate: { type: 'string', empty: false, max: 20_000 },
});

type Fields = Record<string, unknown>;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Takes an entry of either shape: snake_case with `id`, or camelCase with `clientId`. */
function toRecord(entry: Fields): AgentRecord {
  return {
    id: text(entry.id ?? entry.clientId),
    name: text(entry.name),
    authenticationCertificate: text(entry.authentication_certificate ?? entry.authenticationCertificate),
    createdAt: text(entry.created_at ?? entry.createdAt),
    updatedAt: text(entry.updated_at ?? entry.updatedAt),
  };
}

function problemOf(record: AgentRecord): string | undefined {
  const result = check({ ...record });
  if (Array.isArray(result)) return result.map((violation) => violation.message).join(' ');
  try {
    importPublicKey(record.authenticationCertificate);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/**
 * Reads one page: `{response: [...]}` or `{response: {items: [...], totalPages}}`.
 * Throws RetryableError CENTOPS_ANSWER_INVALID when it is neither.
 */
export function readPage(body: unknown): CentOpsPage {
  const response = isFields(body) ? body.response : undefined;
  const items: unknown = isFields(response) ? response.items : response;
  if (!Array.isArray(items) || items.length > MAX_ENTRIES) {
    throw new RetryableError('CENTOPS_ANSWER_INVALID', 'CentOps answered something that is not a list of agents');
  }
  const page: CentOpsPage = { agents: [], rejected: [], totalPages: pagesOf(response) };
  items.forEach((entry: unknown, index) => {
    const record = isFields(entry) ? toRecord(entry) : undefined;
    const problem = record ? problemOf(record) : 'It is not an object.';
    if (record && problem === undefined) page.agents.push(record);
    else page.rejected.push(`entry ${index} (${JSON.stringify(record?.id.slice(0, 36) ?? '')}): ${problem}`);
  });
  return page;
}

function pagesOf(response: unknown): number {
  const total = isFields(response) ? response.totalPages : undefined;
  return typeof total === 'number' && Number.isInteger(total) && total > 0 ? total : 1;
}
