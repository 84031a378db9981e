import type { KeyObject } from 'node:crypto';
import type { AgentDirectory } from '../agents/directory';
import type { AgentConfig } from '../config/types';
import { open } from '../crypto/open';
import { DmrError, messageOf } from '../errors';
import type { Log } from '../log';
import { idOf, parseEnvelope, type Envelope } from '../protocol/envelope';
import { ERROR_TYPES, type AgentAck, type ErrorType, type ProtocolError } from '../protocol/events';
import type { Metrics } from '../telemetry/metrics';
import { postToChatbot } from './chatbot';
import type { DuplicateWindow } from './duplicate-window';

export interface ReceiveContext {
  config: AgentConfig;
  privateKey: KeyObject;
  directory: AgentDirectory;
  delivered: DuplicateWindow;
  /** Messages being received right now, so that a copy gets the answer of the first. */
  underWay: Map<string, Promise<AgentAck>>;
  metrics: Metrics;
  log: Log;
}

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
  try {
    const envelope = forThisAgent(context, wellFormed(message));
    return await once(context, envelope);
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

/** An id belongs to its sender: another sender's message under the same id is another message. */
async function once(context: ReceiveContext, envelope: Envelope): Promise<AgentAck> {
  const key = `${envelope.senderId} ${envelope.id}`;
  const { delivered, underWay, metrics, log } = context;
  const copy = delivered.has(key) ? Promise.resolve<AgentAck>({ status: 'ok' }) : underWay.get(key);
  if (copy) {
    metrics.inc('dmr_duplicates_dropped_total');
    log.debug('duplicate dropped', { event: 'duplicate', messageId: envelope.id, senderId: envelope.senderId });
    return copy;
  }
  const first = openAndForward(context, envelope, key).finally(() => underWay.delete(key));
  underWay.set(key, first);
  return first;
}

async function openAndForward(context: ReceiveContext, envelope: Envelope, key: string): Promise<AgentAck> {
  const { config, privateKey, delivered, metrics, log } = context;
  const ids = { messageId: envelope.id, senderId: envelope.senderId };
  try {
    const senderKey = keyOfSender(context, envelope.senderId);
    const binding = { messageId: envelope.id, senderId: envelope.senderId, recipientId: config.agentId };
    const payload = await open(envelope.payload, binding, config.messageBinding, privateKey, senderKey);
    log.debug('message opened', { event: 'opened', ...ids });
    await postToChatbot(config.chatbot, envelope, payload);
    delivered.add(key);
    metrics.inc('dmr_messages_received_total');
    log.debug('message handed to the chatbot', { event: 'handed-over', ...ids });
    return { status: 'ok' };
  } catch (error) {
    return reject(context, envelope, error);
  }
}

/** A sender that is not listed may be so new that its list is still under way: the server tries again. */
function keyOfSender({ directory }: ReceiveContext, senderId: string): KeyObject {
  const key = directory.keyOf(senderId);
  if (key) return key;
  throw new RejectedError([{ type: 'DELIVERY_FAILED', message: `The recipient does not know agent ${senderId} yet` }]);
}

function reject({ metrics, log }: ReceiveContext, message: unknown, error: unknown): AgentAck {
  const errors = error instanceof RejectedError ? error.errors : [protocolErrorOf(error)];
  const types = errors.map(({ type }) => type);
  for (const type of new Set(types)) metrics.inc('dmr_messages_rejected_total', { type });
  log.warn('message rejected', { event: 'rejected', messageId: idOf(message), types, why: messageOf(error) });
  return { status: 'error', errors };
}

/** A final error of ours carries its wire type as code; everything else is worth another try. */
function protocolErrorOf(error: unknown): ProtocolError {
  if (!(error instanceof DmrError)) return { type: 'DELIVERY_FAILED', message: 'Internal error of the recipient' };
  const type = ERROR_TYPES.has(error.code) ? (error.code as ErrorType) : 'DELIVERY_FAILED';
  return { type, message: error.message };
}
