import { setTimeout as delay } from 'node:timers/promises';
import { DmrError } from '../errors';
import type { Gate } from '../gate';
import { HttpError } from '../http/problem';
import type { OutgoingMessage } from '../protocol/chat-message';
import type { Envelope } from '../protocol/envelope';
import { attempt, type Attempt, type Transmit } from './attempt';
import { sealMessage, type SealContext } from './seal-message';

export interface SendContext extends SealContext {
  transmit: Transmit;
  /** Open while messages can go up. */
  uplink: Gate;
}

/** The server may have stored the message: it did not say, or could not confirm it in time. */
export class UnsettledError extends HttpError {}

/** Between two tries: a server that could not take it is not asked in a tight loop, ms. */
const PAUSE_MS = 100;

/**
 * The way of a chatbot's message to the server within MESSAGE_DELIVERY_TIMEOUT_MS: an uplink that is not there is
 * waited for, and what was lost with it, or refused for now, is sent again under the same id. Resolves only after the
 * server's ack, which means that the message waits, confirmed, in the recipient's queue. Throws HttpError: 404 unknown
 * recipient, 502 not connected in time or refused, 503 no agent list yet, 504 the server may have it or not.
 */
export async function send(context: SendContext, message: OutgoingMessage): Promise<void> {
  const deadline = performance.now() + context.config.deliveryTimeoutMs;
  try {
    await context.uplink.passed(context.config.deliveryTimeoutMs);
    if (!context.uplink.open) throw uplinkDown();
    await handUp(context, await sealMessage(context, message), deadline);
    context.metrics.inc('dmr_messages_sent_total');
  } catch (error) {
    const code = error instanceof DmrError ? error.code : 'INTERNAL';
    const { id: messageId, recipientId } = message;
    context.log.warn('message not sent', { event: 'not-sent', messageId, recipientId, code });
    throw error;
  }
}

async function handUp(context: SendContext, envelope: Envelope, deadline: number): Promise<void> {
  let outcome: Attempt | undefined;
  for (let left = deadline - performance.now(); left > 0; left = deadline - performance.now()) {
    if (!(await context.uplink.passed(left))) break;
    const tried = await attempt(context.transmit, envelope, Math.max(1, deadline - performance.now()));
    if (tried.result === 'taken') {
      const ids = { messageId: envelope.id, recipientId: envelope.recipientId };
      return context.log.debug('message taken by the server', { event: 'taken', ...ids });
    }
    outcome = worse(outcome, tried);
    if (tried.result === 'refused' && tried.final) break;
    await delay(Math.min(PAUSE_MS, Math.max(0, deadline - performance.now())));
  }
  throw failure(outcome);
}

/** What the caller must know of several tries: that the server may have it counts more than what followed, except a refusal for good. */
function worse(before: Attempt | undefined, now: Attempt): Attempt {
  if (before === undefined || (now.result === 'refused' && now.final)) return now;
  if (before.result === 'unknown') return before;
  return now.result === 'not-sent' ? before : now;
}

function failure(outcome: Attempt | undefined): HttpError {
  if (outcome === undefined || outcome.result === 'taken') return uplinkDown();
  if (outcome.result === 'refused') {
    return new (outcome.final ? HttpError : UnsettledError)(502, 'SERVER_REFUSED', outcome.why);
  }
  if (outcome.result === 'not-sent') return new HttpError(502, outcome.error.code, outcome.error.message);
  return new UnsettledError(504, outcome.error.code, outcome.error.message);
}

function uplinkDown(): HttpError {
  return new HttpError(502, 'UPLINK_DOWN', 'This agent is not connected to the DMR server');
}
