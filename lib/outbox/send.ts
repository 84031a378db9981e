import type { KeyObject } from 'node:crypto';
import type { AgentDirectory } from '../agents/directory';
import type { AgentConfig } from '../config/types';
import { seal } from '../crypto/seal';
import { DmrError, messageOf } from '../errors';
import { HttpError } from '../http/problem';
import type { Log } from '../log';
import type { OutgoingMessage } from '../protocol/chat-message';
import type { Envelope } from '../protocol/envelope';
import type { ServerAck } from '../protocol/events';
import type { Metrics } from '../telemetry/metrics';

export interface SendContext {
  config: AgentConfig;
  privateKey: KeyObject;
  directory: AgentDirectory;
  /** Sends up and resolves with the server's ack; throws RetryableError UPLINK_DOWN, UPLINK_LOST or NO_ANSWER. */
  transmit: (envelope: Envelope) => Promise<ServerAck>;
  uplinkConnected: () => Promise<boolean>;
  metrics: Metrics;
  log: Log;
}

/**
 * The way of a chatbot's message to the server. Resolves only after the server's ack, which means that the message
 * waits, confirmed, in the recipient's queue. Throws HttpError: 404 unknown recipient, 502 not connected or refused,
 * 503 no agent list yet, 504 no answer in time or the connection lost before it.
 */
export async function send(context: SendContext, message: OutgoingMessage): Promise<void> {
  await connected(context);
  const recipientKey = keyOfRecipient(context, message.recipientId);
  const envelope = await sealed(context, message, recipientKey);
  await handUp(context, envelope);
  context.metrics.inc('dmr_messages_sent_total');
}

async function connected({ uplinkConnected }: SendContext): Promise<void> {
  if (await uplinkConnected()) return;
  throw new HttpError(502, 'UPLINK_DOWN', 'This agent is not connected to the DMR server');
}

function keyOfRecipient({ directory }: SendContext, recipientId: string): KeyObject {
  if (!directory.ready) throw new HttpError(503, 'AGENT_LIST_MISSING', 'The agent list is still under way, try again');
  if (directory.get(recipientId)) return usableKey(directory, recipientId);
  throw new HttpError(404, 'RECIPIENT_UNKNOWN', `No agent with the id ${recipientId} takes part`);
}

function usableKey(directory: AgentDirectory, recipientId: string): KeyObject {
  try {
    return directory.keyOf(recipientId) as KeyObject;
  } catch (error) {
    const why = `CentOps lists no usable key for agent ${recipientId}, its organisation must mend that`;
    throw new HttpError(502, 'RECIPIENT_KEY_INVALID', `${why}: ${messageOf(error)}`);
  }
}

async function sealed(context: SendContext, message: OutgoingMessage, recipientKey: KeyObject): Promise<Envelope> {
  const { config, privateKey, log } = context;
  const { id, recipientId, timestamp, type } = message;
  const binding = { messageId: id, senderId: config.agentId, recipientId };
  const payload = await seal(message.payload, binding, privateKey, recipientKey);
  log.debug('message sealed', { event: 'sealed', messageId: id, recipientId });
  return { id, senderId: config.agentId, recipientId, type, payload, timestamp };
}

async function handUp({ transmit, log }: SendContext, envelope: Envelope): Promise<void> {
  const ids = { messageId: envelope.id, recipientId: envelope.recipientId };
  try {
    const ack = await transmit(envelope);
    if (ack?.status !== 'ok')
      throw new HttpError(502, 'SERVER_REFUSED', `The DMR server refused the message${why(ack)}`);
    log.debug('message taken by the server', { event: 'taken', ...ids });
  } catch (error) {
    log.warn('message not sent', {
      event: 'not-sent',
      ...ids,
      code: error instanceof DmrError ? error.code : 'INTERNAL',
    });
    if (error instanceof HttpError || !(error instanceof DmrError)) throw error;
    throw new HttpError(error.code === 'UPLINK_DOWN' ? 502 : 504, error.code, error.message);
  }
}

function why(ack: { error?: unknown } | null | undefined): string {
  return typeof ack?.error === 'string' ? `: ${ack.error.slice(0, 500)}` : '';
}
