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

/** The changed part of the list as it stands on the wire. */
export function partialList(diff: AgentDiff): (AgentRecord & { deleted: boolean })[] {
  const marked = (agents: AgentRecord[], deleted: boolean) => agents.map((agent) => ({ ...agent, deleted }));
  return [...marked([...diff.added, ...diff.changed], false), ...marked(diff.removed, true)];
}

/** How long the ack of any try can still matter, ms: the longest that all tries together take. */
export function listenSpanMs({ maxTries, ackTimeoutMs, retryDelayMaxMs }: DeliveryConfig): number {
  return Math.min(maxTries * (ackTimeoutMs + retryDelayMaxMs), MAX_TIMER_MS);
}
