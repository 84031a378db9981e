import type { AgentConfig } from '../config/types';
import { RetryableError } from '../errors';
import type { Envelope } from '../protocol/envelope';

/**
 * Posts an opened message to the chatbot; resolves on any 2xx. Throws RetryableError CHATBOT_FAILED: an answer of
 * another status, none in time, or no connection.
 */
export async function postToChatbot(
  { endpoint, timeoutMs }: AgentConfig['chatbot'],
  { id, senderId, recipientId, timestamp, type }: Envelope,
  payload: unknown,
): Promise<void> {
  const status = await post(endpoint, { id, senderId, recipientId, timestamp, type, payload }, timeoutMs);
  if (status < 200 || status > 299) {
    throw new RetryableError('CHATBOT_FAILED', `The recipient's chatbot answered with status ${status}`);
  }
}

async function post(endpoint: string, body: object, timeoutMs: number): Promise<number> {
  try {
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      redirect: 'manual', // a followed redirect may turn the POST into a GET that says 200
      signal: AbortSignal.timeout(timeoutMs),
    });
    await response.body?.cancel();
    return response.status;
  } catch (cause) {
    const timedOut = cause instanceof Error && cause.name === 'TimeoutError';
    const why = timedOut ? `did not answer within ${timeoutMs} ms` : 'cannot be reached';
    throw new RetryableError('CHATBOT_FAILED', `The recipient's chatbot ${why}`, { cause });
  }
}
