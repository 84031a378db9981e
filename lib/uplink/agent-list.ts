import type { PartialRecord } from '../agents/agent-record';

/**
 * The agents of a list event: the argument is an array that holds the list; a bare list is taken too. Entries without
 * id or key are left out.
 */
export function readList(data: unknown): PartialRecord[] {
  if (!Array.isArray(data)) return [];
  const list: unknown[] = data.length === 1 && Array.isArray(data[0]) ? data[0] : data;
  return list.filter(isRecord);
}

function isRecord(entry: unknown): entry is PartialRecord {
  if (typeof entry !== 'object' || entry === null) return false;
  const { id, authenticationCertificate, deleted } = entry as Record<string, unknown>;
  return typeof id === 'string' && (deleted === true || typeof authenticationCertificate === 'string');
}
