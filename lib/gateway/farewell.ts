import { setTimeout as delay } from 'node:timers/promises';
import type { AgentSession } from './agent-session';

/** How far the reconnects lie apart, ms: a neighbour that takes everybody at once would have to flush every list at once. */
const APART_MS = 10;
/** The longest the last session waits for its turn, ms; and never more than this part of the time there is. */
const LONGEST_SPREAD_MS = 5000;
const SPREAD_PART = 1 / 3;
/** Wait of an agent that was asked to leave before it connects again, ms. */
const RECONNECT_AFTER_MS = 100;
const LOOK_EVERY_MS = 20;

export interface Leaving {
  sessions: AgentSession[];
  /** Takes nothing more from the agent's queue. */
  quiesce: (agentId: string) => Promise<void>;
  /** Whether something of this agent waits for an answer, in either direction. */
  isBusy: (session: AgentSession) => boolean;
  /** For everything, ms. */
  timeoutMs: number;
}

/** When each of so many sessions is asked to leave, ms from now. */
export function turnOf(index: number, count: number, timeoutMs: number): number {
  const spread = Math.min(count * APART_MS, LONGEST_SPREAD_MS, timeoutMs * SPREAD_PART);
  return Math.floor((index * spread) / Math.max(1, count));
}

/**
 * Sends the agents of a node away without breaking anything off, one after the other, so that the others of the mesh do
 * not get them all at once and each is served until its turn. An agent that knows `leaving` disconnects by itself; any
 * other loses its connection at a moment when nothing is under way. What is not done in time goes back to its queue.
 */
export async function farewell(leaving: Leaving): Promise<void> {
  const deadline = Date.now() + leaving.timeoutMs;
  const { sessions, timeoutMs } = leaving;
  await Promise.all(
    sessions.map((session, i) => dismiss(session, leaving, turnOf(i, sessions.length, timeoutMs), deadline)),
  );
}

async function dismiss(session: AgentSession, leaving: Leaving, turnMs: number, deadline: number): Promise<void> {
  await delay(turnMs);
  session.leaving = true;
  if (!session.isOpen) return;
  // Asked first: what the agent is told to stop sending need not wait for the broker to stop giving.
  const goesItself = session.knows('leaving');
  if (goesItself) session.askToLeave(RECONNECT_AFTER_MS);
  await leaving.quiesce(session.agentId);
  await waitUntil(() => !session.isOpen || (!goesItself && !leaving.isBusy(session)), deadline);
  session.hangUp();
}

/** Resolves when the condition holds, or at the deadline. */
export async function waitUntil(condition: () => boolean, deadline: number): Promise<void> {
  while (!condition() && Date.now() < deadline) await delay(LOOK_EVERY_MS);
}
