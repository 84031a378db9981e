import type { PartialRecord } from '../agents/agent-record';

/**
 * The agents of a list event: the argument is an array that holds the list; a bare list is taken too. Entries without
 * id or key are left out. Undefined for what is no list or has no usable entry among others: it says nothing about who
 * takes part, so nobody may be forgotten for it.
 */
export function readList(data: unknown): PartialRecord[] | undefined {
  if (!Array.isArray(data)) return undefined;
  const list: unknown[] = data.length === 1 && Array.isArray(data[0]) ? data[0] : data;
  const agents = list.filter(isRecord);
  return agents.length > 0 || list.length === 0 ? agents : undefined;
}

function isRecord(entry: unknown): entry is PartialRecord {
  if (typeof entry !== 'object' || entry === null) return false;
  const { id, authenticationCertificate, deleted } = entry as Record<string, unknown>;
  return typeof id === 'string' && (deleted === true || typeof authenticationCertificate === 'string');
}
