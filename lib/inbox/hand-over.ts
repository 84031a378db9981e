import type { AgentConfig } from '../config/types';
import { messageOf, RetryableError } from '../errors';
import type { Log } from '../log';
import type { Envelope } from '../protocol/envelope';
import { secondsSince, type Metrics } from '../telemetry/metrics';
import { traceContextOf, traceField } from '../telemetry/trace-context';
import type { Tracing } from '../telemetry/tracing';
import { ChatbotFailedError, ChatbotRefusedError, postToChatbot } from './chatbot';
import type { ChatbotGate, Pass } from './chatbot-gate';
import { keyOf, type DuplicateWindow } from './duplicate-window';
import { Patience } from './patience';

export interface HandOverContext {
  config: AgentConfig;
  seen: DuplicateWindow;
  gate: ChatbotGate;
  /** Aborted when the agent stops: nothing waits for another try then. */
  stopping: AbortSignal;
  metrics: Metrics;
  tracing: Tracing;
  log: Log;
}

/** The time for tries is over and the chatbot never took the message. */
export class ChatbotGivenUpError extends RetryableError {
  constructor(ms: number, last: unknown) {
    const why = last === undefined ? 'it takes no messages' : messageOf(last);
    super('CHATBOT_GIVEN_UP', `The recipient gave its chatbot up after ${ms} ms: ${why}`, { cause: last });
  }
}

interface Attempts {
  key: string;
  failures: number;
  /** An earlier POST may have reached the chatbot; undefined until the disk has been asked. */
  repeated: boolean | undefined;
  /** The answer of the disk, where it was asked ahead. */
  noted: Promise<boolean> | undefined;
  last: unknown;
}

/**
 * Gives an opened message to the chatbot, again and again while that may help and the time from its arrival lasts.
 * Resolves when the chatbot has it and that is remembered. Throws ChatbotRefusedError; ChatbotGivenUpError when the
 * time is over; RetryableError AGENT_STOPPING, or STORAGE_FAILED when the disk did not even take the note.
 * @param arrivedAt by `performance.now()`
 * @param body what the chatbot gets
 * @param noted what `seen.begin` says, where it was called ahead
 */
export async function handOver(
  context: HandOverContext,
  envelope: Envelope,
  body: string,
  arrivedAt: number,
  noted?: Promise<boolean>,
): Promise<void> {
  const { config, gate, seen, stopping } = context;
  const patience = new Patience(arrivedAt + config.chatbot.retryMs, stopping);
  const attempts: Attempts = { key: keyOf(envelope), failures: 0, repeated: undefined, noted, last: undefined };
  for (;;) {
    const pass = await gate.enter(attempts.key, attempts.failures, patience);
    if (!pass) {
      await seen.undo(attempts.key, attempts.noted); // noted ahead of a POST that is never made
      throw endOf(config, patience, attempts);
    }
    if (await attempt(context, envelope, body, attempts, pass)) break;
  }
  // The chatbot has it. If the process dies here, the message comes again and goes to the chatbot marked as repeated.
  await seen.done(attempts.key);
}

function endOf({ chatbot }: AgentConfig, patience: Patience, { last }: Attempts): Error {
  if (patience.stopping) return new RetryableError('AGENT_STOPPING', 'The recipient is stopping');
  if (last instanceof RetryableError && last.code === 'STORAGE_FAILED') return last;
  return new ChatbotGivenUpError(chatbot.retryMs, last);
}

/** True when the chatbot took it, false when another try may help; else throws. */
async function attempt(
  context: HandOverContext,
  envelope: Envelope,
  body: string,
  attempts: Attempts,
  pass: Pass,
): Promise<boolean> {
  const { gate, seen, metrics, log } = context;
  try {
    // Noted before the POST starts: whoever finds the note after a crash must not claim to be the first.
    attempts.repeated ??= await noteOf(attempts, seen);
    await tracedPost(context, envelope, body, attempts);
    gate.answered();
    return true;
  } catch (error) {
    attempts.failures += 1;
    attempts.last = error;
    if (error instanceof ChatbotFailedError) {
      gate.failed(pass, error.retryAfterMs);
      attempts.repeated ||= error.mayHaveIt;
      metrics.inc('dmr_chatbot_failures_total', { reason: error.reason });
      const { id: messageId, senderId, recipientId } = envelope;
      const ids = { messageId, senderId, recipientId, ...traceField(envelope) };
      log.debug(messageOf(error), { event: 'chatbot-failed', ...ids, failures: attempts.failures });
      return false;
    }
    if (error instanceof ChatbotRefusedError) gate.answered();
    else gate.unused(pass);
    if (error instanceof RetryableError) return false; // the disk
    throw error;
  }
}

/** What was asked ahead counts once: if the disk refused, it is asked again. */
function noteOf(attempts: Attempts, seen: DuplicateWindow): Promise<boolean> {
  const { noted, key } = attempts;
  attempts.noted = undefined;
  return noted ?? seen.begin(key);
}

/** Each POST is a span of its own, and what the chatbot gets as its parent. */
async function tracedPost(
  { config, metrics, tracing }: HandOverContext,
  envelope: Envelope,
  body: string,
  { failures, repeated = false }: Attempts,
): Promise<void> {
  const request = { 'http.request.method': 'POST', 'http.request.resend_count': failures || undefined };
  const started = performance.now();
  const span = tracing.start('POST to chatbot', 'client', traceContextOf(envelope), request);
  try {
    const status = await postToChatbot(config.chatbot, body, repeated, span.context);
    span.end({ 'http.response.status_code': status });
  } catch (error) {
    const { status, reason, code } = error as Partial<ChatbotFailedError & ChatbotRefusedError>;
    span.end({ 'http.response.status_code': status }, reason ?? code);
    throw error;
  } finally {
    metrics.observe('dmr_chatbot_duration_seconds', secondsSince(started));
  }
}
