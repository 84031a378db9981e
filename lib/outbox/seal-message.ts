import type { KeyObject } from 'node:crypto';
import type { AgentDirectory } from '../agents/directory';
import type { AgentConfig } from '../config/types';
import type { KeyRing } from '../crypto/key-ring';
import { seal } from '../crypto/seal';
import { messageOf } from '../errors';
import { HttpError } from '../http/problem';
import type { Log } from '../log';
import type { OutgoingMessage } from '../protocol/chat-message';
import type { Envelope } from '../protocol/envelope';
import { secondsSince, type Metrics } from '../telemetry/metrics';

export interface SealContext {
  config: AgentConfig;
  keys: KeyRing;
  directory: AgentDirectory;
  metrics: Metrics;
  log: Log;
}

/**
 * The envelope of a chatbot's message, sealed for its recipient. Throws HttpError: 404 unknown recipient, 502 a listed
 * key that is none, 503 no agent list yet.
 */
export async function sealMessage(context: SealContext, message: OutgoingMessage): Promise<Envelope> {
  const { config, directory, keys, metrics, log } = context;
  const { id, recipientId, timestamp, type } = message;
  const recipientKey = keyOfRecipient(directory, recipientId);
  const binding = { messageId: id, senderId: config.agentId, recipientId };
  // While the key changes, the recipient knows the one that is listed.
  const ownKey = keys.signingKeyFor(directory.get(config.agentId)?.authenticationCertificate);
  const started = performance.now();
  const payload = await seal(message.payload, binding, ownKey, recipientKey);
  metrics.observe('dmr_seal_duration_seconds', secondsSince(started));
  log.debug('message sealed', { event: 'sealed', messageId: id, recipientId });
  return { id, senderId: config.agentId, recipientId, type, payload, timestamp };
}

function keyOfRecipient(directory: AgentDirectory, recipientId: string): KeyObject {
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
