import type { KeyObject } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AgentDirectory } from '../agents/directory';
import type { KeyRing } from '../crypto/key-ring';
import { open } from '../crypto/open';
import { DmrError, messageOf } from '../errors';
import { idOf, parseEnvelope, type Envelope } from '../protocol/envelope';
import { ERROR_TYPES, type AgentAck, type ErrorType, type ProtocolError } from '../protocol/events';
import { secondsSince } from '../telemetry/metrics';
import { messageAttributes, socketHop } from '../telemetry/span-attributes';
import { inTrace, traceContextOf, traceField } from '../telemetry/trace-context';
import type { Span } from '../telemetry/tracing';
import type { Turns } from '../turns';
import type { ArrivalOrder } from './arrival-order';
import { bodyOf, ChatbotRefusedError, PayloadTooDeepError } from './chatbot';
import { keyOf } from './duplicate-window';
import { ChatbotGivenUpError, handOver, type HandOverContext } from './hand-over';

export interface ReceiveContext extends HandOverContext {
  keys: KeyRing;
  directory: AgentDirectory;
  /** Messages being received right now, so that a copy gets the answer of the first. */
  underWay: Map<string, Promise<AgentAck>>;
  arrivals: ArrivalOrder;
  /** Resolves when the disk has begun with the latest note that was made ahead: opening blocks, so it comes after that. */
  diskBegins: Promise<void>;
  /** The chats that messages wait in, one behind the other. */
  chats: Turns;
}

/** A server of ours has at most 50 on their way to one agent; another's may have no bound. */
const MAX_UNDER_WAY = 1000;
const LONGEST_CHAT_ID = 200;
const FINAL = [ChatbotRefusedError, ChatbotGivenUpError, PayloadTooDeepError];

class RejectedError extends DmrError {
  constructor(readonly errors: ProtocolError[]) {
    super('MESSAGE_REJECTED', errors.map((error) => error.message).join(' '));
  }
}

/**
 * The way of a sealed message to the chatbot. Answers `ok` only after the chatbot took it: if the process dies before,
 * the server delivers it again. Never throws.
 */
export async function receive(context: ReceiveContext, message: unknown): Promise<AgentAck> {
  const span = context.tracing.start('receive', 'consumer', traceContextOf(message), socketHop('process'));
  const answer = await received(context, message, span);
  const failed = answer.status === 'ok' ? undefined : answer.errors[0]?.type;
  span.end({ 'dmr.outcome': answer.status === 'ok' ? 'delivered' : 'rejected' }, failed);
  return answer;
}

async function received(context: ReceiveContext, message: unknown, span: Span): Promise<AgentAck> {
  try {
    const envelope = inTrace(forThisAgent(context, wellFormed(message)), span.context);
    span.set(messageAttributes(envelope));
    return await once(context, envelope, span);
  } catch (error) {
    return reject(context, message, error);
  }
}

function wellFormed(message: unknown): Envelope {
  const result = parseEnvelope(message);
  if ('refusal' in result) throw new RejectedError(result.refusal.errors);
  return result.envelope;
}

function forThisAgent({ config }: ReceiveContext, envelope: Envelope): Envelope {
  if (envelope.recipientId === config.agentId) return envelope;
  throw new RejectedError([{ type: 'INVALID_RECIPIENT_ID', message: 'The message is for another agent' }]);
}

/** A copy of what the chatbot has is answered at once, a copy of what is under way with that one's answer. */
async function once(context: ReceiveContext, envelope: Envelope, span: Span): Promise<AgentAck> {
  const key = keyOf(envelope);
  const { seen, underWay, metrics, log } = context;
  const copy = seen.isDone(key) ? Promise.resolve<AgentAck>({ status: 'ok' }) : underWay.get(key);
  if (copy) {
    metrics.inc('dmr_duplicates_dropped_total');
    span.set({ 'dmr.duplicate': true });
    log.debug('duplicate dropped', { event: 'duplicate', ...idsOf(envelope) });
    return copy;
  }
  if (underWay.size >= MAX_UNDER_WAY) {
    throw new RejectedError([{ type: 'DELIVERY_FAILED', message: 'The recipient has too many messages under way' }]);
  }
  const first = openAndForward(context, envelope).finally(() => underWay.delete(key));
  underWay.set(key, first);
  return first;
}

/** Seals are opened side by side; what was in them goes to its chat in the order of arrival. */
async function openAndForward(context: ReceiveContext, envelope: Envelope): Promise<AgentAck> {
  const { arrivals, chats, metrics, log } = context;
  const ids = idsOf(envelope);
  const arrivedAt = performance.now();
  const noted = notedAhead(context, envelope);
  if (noted) context.diskBegins = twoTurns();
  // Whoever comes behind a message that waits for that waits as well: it is not to be opened last.
  const opening = context.diskBegins.then(() => opened(context, envelope));
  try {
    await arrivals.enter(opening, ({ chat, body }) => {
      log.debug('message opened', { event: 'opened', ...ids });
      return chats.run(chat, () => handOver(context, envelope, body, arrivedAt, noted));
    });
    metrics.inc('dmr_messages_received_total');
    log.debug('message handed to the chatbot', { event: 'handed-over', ...ids });
    return { status: 'ok' };
  } catch (error) {
    // Before the answer: the next copy must not find, and then lose, what this one noted.
    await opening.catch(() => context.seen.undo(keyOf(envelope), noted));
    return reject(context, envelope, error);
  }
}

/**
 * Asks the disk while the seal is opened, for the only message under way: then nobody else wants the disk, and the two
 * are most of what its reader waits for. With others before it the note is made right before the POST, so that an agent
 * that dies has noted as little as can be that it did not post.
 */
function notedAhead(context: ReceiveContext, envelope: Envelope): Promise<boolean> | undefined {
  const { seen, underWay, gate, stopping } = context;
  if (underWay.size > 0 || gate.shut || stopping.aborted) return undefined;
  const noted = seen.begin(keyOf(envelope));
  noted.catch(() => undefined); // whoever hands it over hears of it
  return noted;
}

/** The store gathers in one turn of the event loop, and lmdb begins in the next. */
async function twoTurns(): Promise<void> {
  await nextTurn();
  await nextTurn();
}

/** Printed once: what cannot be is found out before it waits for its chat, and what waits is one text. */
async function opened(context: ReceiveContext, envelope: Envelope): Promise<{ chat: string; body: string }> {
  const span = context.tracing.start('open', 'internal', traceContextOf(envelope));
  try {
    const payload = await unsealed(context, envelope);
    const body = bodyOf(envelope, payload);
    span.end();
    return { chat: chatOf(envelope, payload), body };
  } catch (error) {
    span.end({}, protocolErrorsOf(error)[0]?.type);
    throw error;
  }
}

async function unsealed(context: ReceiveContext, envelope: Envelope): Promise<unknown> {
  const { config, keys, metrics } = context;
  const senderKeys = keysOfSender(context, envelope.senderId);
  const binding = { messageId: envelope.id, senderId: envelope.senderId, recipientId: config.agentId };
  const started = performance.now();
  const payload = await open(envelope.payload, binding, config.messageBinding, keys.opening, senderKeys);
  metrics.observe('dmr_open_duration_seconds', secondsSince(started));
  return payload;
}

/** What has no chat that can be told is a chat of its own: nothing says what it would have to wait for. */
function chatOf({ senderId, id }: Envelope, payload: unknown): string {
  const chat = (payload as { chat?: { id?: unknown } | null } | null)?.chat?.id;
  const isId = typeof chat === 'string' && chat !== '' && chat.length <= LONGEST_CHAT_ID;
  return isId ? `${senderId} chat ${chat}` : `${senderId} message ${id}`;
}

/** A sender that is not listed may be so new that its list is still under way: the server tries again. */
function keysOfSender({ directory }: ReceiveContext, senderId: string): KeyObject[] {
  const keys = directory.keysOf(senderId);
  if (keys.length > 0) return keys;
  throw new RejectedError([{ type: 'DELIVERY_FAILED', message: `The recipient does not know agent ${senderId} yet` }]);
}

function reject({ metrics, log }: ReceiveContext, message: unknown, error: unknown): AgentAck {
  const errors = protocolErrorsOf(error);
  const types = errors.map(({ type }) => type);
  for (const type of new Set(types)) metrics.inc('dmr_messages_rejected_total', { type });
  const { senderId, recipientId } = (message ?? {}) as { senderId?: unknown; recipientId?: unknown };
  const ids = { messageId: idOf(message), senderId: idOf({ id: senderId }), recipientId: idOf({ id: recipientId }) };
  const why = messageOf(error);
  log.warn('message rejected', { event: 'rejected', ...ids, types, why, ...traceField(message) });
  return { status: 'error', errors };
}

function idsOf(envelope: Envelope): object {
  const { id: messageId, senderId, recipientId } = envelope;
  return { messageId, senderId, recipientId, ...traceField(envelope) };
}

function protocolErrorsOf(error: unknown): ProtocolError[] {
  return error instanceof RejectedError ? error.errors : [protocolErrorOf(error)];
}

/**
 * A final error of ours carries its wire type as code; everything else is worth another try of the server's, unless the
 * chatbot said no or was given up, or cannot be told: then a later try finds what this one found.
 */
function protocolErrorOf(error: unknown): ProtocolError {
  if (!(error instanceof DmrError)) return { type: 'DELIVERY_FAILED', message: 'Internal error of the recipient' };
  const type = ERROR_TYPES.has(error.code) ? (error.code as ErrorType) : 'DELIVERY_FAILED';
  const final = FINAL.some((kind) => error instanceof kind);
  return { type, message: error.message, ...(final && { final }) };
}
