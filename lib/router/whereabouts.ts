import type { ServiceBroker } from 'moleculer';
import { seemsEmpty } from '../amqp/admin';
import { dlqName, VALIDATION_FAILURES } from '../amqp/topology';
import { describeFailure, describeLetter, type DeadLetter, type FailureRecord } from '../dlq/letter';
import { messageOf } from '../errors';
import { askAll } from '../mesh/ask-all';
import type { MessageTrail, TrailEntry } from '../telemetry/trail';
import type { NodeRouter } from './node-router';

/** What a node answers about a message. */
export interface NodeMemory {
  trail: MessageTrail | null;
  /** The agent to which it is on its way from this node, right now. */
  inFlightTo: string | null;
}

export type MessageState =
  'in flight' | 'waiting' | 'delivered' | 'rejected' | 'dead-lettered' | 'refused' | 'purged' | 'unknown';

/** Where a message is, as far as anybody remembers or looked. */
export interface Whereabouts {
  id: string;
  state: MessageState;
  senderId: string | null;
  recipientId: string | null;
  /** The node that has it in hand, or had it last. */
  node: string | null;
  /** Where it lies; of a message that waits only what was known last. */
  queue: string | null;
  tries: number | null;
  history: (Omit<TrailEntry, 'at'> & { at: string; node: string })[];
  deadLetter: DeadLetter | null;
  failure: FailureRecord | null;
  /** Nodes whose memory is missing here. */
  silentNodes: string[];
  /** Queues that were looked through. */
  searched: string[];
  /** Queues that were not, or not to their end. */
  notSearched: string[];
}

const SEARCH_MS = 60_000;
/** The services of which any knows what its process did. */
const REMEMBERING = ['gateway.io', 'router', 'dlq-monitor'];

const STATE_AFTER: Record<TrailEntry['event'], MessageState> = {
  accepted: 'waiting',
  sent: 'waiting',
  unavailable: 'refused',
  refused: 'refused',
  delivered: 'delivered',
  rejected: 'rejected',
  'dead-lettered': 'dead-lettered',
  replayed: 'waiting',
  purged: 'purged',
};

/**
 * Asks every node what it remembers and has in hand, then looks into the dead-letter queue of the recipient if the message
 * may be there; with `search` into all, and validation-failures, when nobody remembers it. A message that waits in its
 * agent's queue cannot be looked for: that would disturb its order.
 */
export async function whereabouts(
  broker: ServiceBroker,
  router: NodeRouter,
  agentTtlMs: number,
  { id, search = false }: { id: string; search?: boolean },
): Promise<Whereabouts> {
  const { answers, silentNodes } = await askAll<NodeMemory>(broker, REMEMBERING, 'trail', { id });
  const found = remembered(id, answers);
  found.silentNodes = silentNodes;
  if (found.state === 'in flight') return found;
  const lastAt = Date.parse(found.history.at(-1)?.at ?? '');
  const mayHaveExpired = found.state === 'waiting' && Date.now() - lastAt > agentTtlMs;
  if (found.recipientId && (found.state === 'dead-lettered' || mayHaveExpired)) {
    await look(router, found, [dlqName(found.recipientId)]);
  } else if (found.state === 'unknown' && search) {
    const agents = [...router.directory.list(), ...router.departed].map((agent) => dlqName(agent.id));
    await look(router, found, [VALIDATION_FAILURES, ...agents]);
  }
  return found;
}

type Answer = { node: string; answer: NodeMemory };

function remembered(id: string, answers: Answer[]): Whereabouts {
  const history = answers
    .flatMap(({ node, answer }) => (answer.trail?.entries ?? []).map((entry) => ({ ...entry, node })))
    .sort((a, b) => a.at - b.at);
  const trails = answers.map(({ answer }) => answer.trail);
  const holder = answers.find(({ answer }) => answer.inFlightTo !== null);
  const recipientId = holder?.answer.inFlightTo ?? trails.find((trail) => trail?.recipientId)?.recipientId ?? null;
  const last = latest(history);
  const state = holder ? 'in flight' : last ? STATE_AFTER[last.event] : 'unknown';
  const tries = history.reduce((most, entry) => Math.max(most, entry.tries ?? 0), 0);
  return {
    id,
    state,
    senderId: trails.find((trail) => trail?.senderId)?.senderId ?? null,
    recipientId,
    node: holder?.node ?? last?.node ?? null,
    queue: queueOf(state, recipientId),
    tries: history.length > 0 ? tries : null,
    history: history.map(({ at, ...entry }) => ({ ...entry, at: new Date(at).toISOString() })),
    deadLetter: null,
    failure: null,
    silentNodes: [],
    searched: [],
    notSearched: [],
  };
}

/**
 * The entry that says where the message is. A broker's confirm and its delivery come on two connections: what became of
 * the delivery counts, though the server learned later that it had accepted the message, or could not know. Only the
 * first confirm can be told from that of a message which its sender repeats.
 */
function latest<T extends TrailEntry>(history: T[]): T | undefined {
  const last = history.at(-1);
  const before = history.slice(0, -1);
  const isLate = last && ofConfirm(last) && before.some(({ event }) => event === 'sent') && !before.some(ofConfirm);
  return isLate ? before.at(-1) : last;
}

const ofConfirm = ({ event }: TrailEntry) => event === 'accepted' || event === 'unavailable';

function queueOf(state: MessageState, recipientId: string | null): string | null {
  if (state === 'refused' || state === 'rejected') return VALIDATION_FAILURES;
  if (!recipientId) return null;
  if (state === 'dead-lettered') return dlqName(recipientId);
  return state === 'waiting' || state === 'in flight' ? recipientId : null;
}

/** Goes through these queues one after the other until the message is found. */
async function look(router: NodeRouter, found: Whereabouts, queues: string[]): Promise<void> {
  const deadline = Date.now() + SEARCH_MS;
  for (const queue of queues) {
    if (Date.now() > deadline) {
      found.notSearched.push(queue);
    } else if (await lookInto(router, found, queue)) {
      return;
    }
  }
}

async function lookInto(router: NodeRouter, found: Whereabouts, queue: string): Promise<boolean> {
  try {
    const depth = await router.look(queue);
    if (!depth) return false;
    // One without ready messages may be in somebody's hands; then `find` says so.
    if (seemsEmpty(depth)) {
      await router.confirmEmpty(queue);
      return false;
    }
    const isFailure = queue === VALIDATION_FAILURES;
    const describe = isFailure ? describeFailure : describeLetter;
    const { found: message, complete } = await router.deadLetters.find<DeadLetter | FailureRecord>(
      queue,
      found.id,
      describe,
    );
    (message || complete ? found.searched : found.notSearched).push(queue);
    if (!message) return false;
    found.queue = queue;
    found.state = isFailure ? 'refused' : 'dead-lettered';
    found.senderId ??= message.senderId;
    found.recipientId ??= message.recipientId;
    if ('types' in message) found.failure = message;
    else {
      found.deadLetter = message;
      found.tries = message.tries ?? found.tries;
    }
    return true;
  } catch (error) {
    found.notSearched.push(`${queue} (${messageOf(error)})`);
    return false;
  }
}
