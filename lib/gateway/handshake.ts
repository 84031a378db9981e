import type { Socket } from 'socket.io';
import type { AgentDiff, AgentRecord } from '../agents/agent-record';
import type { DeliveryConfig } from '../config/types';

/** A longer timer fires at once. */
const MAX_TIMER_MS = 2_147_483_647;

/** The token of a handshake: `auth.token`, else the bearer token of the Authorization header. */
export function tokenOf(socket: Socket): unknown {
  const { auth, headers } = socket.handshake;
  if (auth.token !== undefined) return auth.token as unknown;
  return /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1];
}

const MAX_EXTENSIONS = 32;
const MAX_NAME = 64;

/** The extensions that the agent announced; undefined for a peer that announced none, or nothing that makes sense. */
export function extensionsOf(socket: Socket): ReadonlySet<string> | undefined {
  const { extensions } = socket.handshake.auth as { extensions?: unknown };
  if (!Array.isArray(extensions) || extensions.length > MAX_EXTENSIONS) return undefined;
  const names = extensions as unknown[];
  return names.every(isName) ? new Set(names) : undefined;
}

function isName(name: unknown): name is string {
  return typeof name === 'string' && name.length <= MAX_NAME;
}

/** The changed part of the list as it stands on the wire. */
export function partialList(diff: AgentDiff): (AgentRecord & { deleted: boolean })[] {
  const marked = (agents: AgentRecord[], deleted: boolean) => agents.map((agent) => ({ ...agent, deleted }));
  return [...marked([...diff.added, ...diff.changed], false), ...marked(diff.removed, true)];
}

/** How long the ack of any try can still matter, ms: the longest that all tries together take. */
export function listenSpanMs({ maxTries, ackTimeoutMs, retryDelayMaxMs }: DeliveryConfig): number {
  return Math.min(maxTries * (ackTimeoutMs + retryDelayMaxMs), MAX_TIMER_MS);
}
