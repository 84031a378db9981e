import type { AgentDirectory } from '../agents/directory';
import { UnroutableError } from '../amqp/publish-errors';
import type { Publisher } from '../amqp/publisher';
import { DmrError, messageOf } from '../errors';
import type { Log } from '../log';
import { idOf, parseEnvelope, UNREADABLE, type Envelope, type Refusal } from '../protocol/envelope';
import type { ProtocolError, ServerAck } from '../protocol/events';
import type { RoutingEvents } from '../telemetry/routing-events';
import { messageAttributes, queueHop } from '../telemetry/span-attributes';
import { inTrace, traceContextOf, traceField } from '../telemetry/trace-context';
import type { Tracing } from '../telemetry/tracing';
import type { FailureLimit } from './failure-limit';
import { recordFailure } from './validation-failures';

/** The two fields of a trace in an envelope, with their names. */
const MAX_CONTEXT_BYTES = 640;

/** A refused message beyond this is not kept with its record. */
const MAX_RECORD_BYTES = 65_536;

export interface AcceptContext {
  directory: AgentDirectory;
  publisher: Publisher;
  /** Makes the queues of a known agent exist again. */
  declareAgent: (agentId: string) => Promise<void>;
  /** Makes the queue of the refused messages exist. */
  declareFailures: () => Promise<void>;
  /** Deadline for the broker's confirm, ms. */
  confirmTimeoutMs: number;
  /** Largest envelope, bytes. */
  maxBytes: number;
  failures: FailureLimit;
  tracing: Tracing;
  events: RoutingEvents;
  log: Log;
}

class RefusedError extends DmrError {
  constructor(readonly refusal: Refusal) {
    super('MESSAGE_REFUSED', refusal.ackError);
  }
}

/**
 * The way of a message from its sender into the recipient's queue. Answers `ok` only after the broker's confirm: if the
 * process dies before, the sender was told nothing and repeats the message with the same id. Never throws.
 */
export async function accept(context: AcceptContext, agentId: string, message: unknown): Promise<ServerAck> {
  const span = context.tracing.start('accept', 'producer', traceContextOf(message), { 'dmr.sender.id': agentId });
  try {
    const received = wellFormed(message);
    fromItsSender(context.directory, received, agentId);
    toKnownRecipient(context.directory, received);
    span.set(() => ({ ...queueHop('send', received.recipientId), ...messageAttributes(received) }));
    const envelope = inTrace(received, span.context);
    const room = envelope === received ? 0 : MAX_CONTEXT_BYTES; // what this server adds is not the sender's
    await store(context, envelope, withinSize(envelope, context.maxBytes, room));
    span.end({ 'dmr.outcome': 'accepted' });
    context.events.accepted(envelope);
    return { status: 'ok' };
  } catch (error) {
    const code = codeOf(error);
    span.end({ 'dmr.outcome': error instanceof RefusedError ? 'refused' : 'unavailable' }, code);
    if (error instanceof RefusedError) return refuse(context, agentId, message, error.refusal);
    return unavailable(context, agentId, message, error);
  }
}

/** For a refusal the type of what is wrong, for anything else the error's code. */
function codeOf(error: unknown): string {
  if (error instanceof RefusedError) return error.refusal.errors[0]?.type ?? 'UNKNOWN';
  return error instanceof DmrError ? error.code : 'INTERNAL';
}

function wellFormed(message: unknown): Envelope {
  const result = parseEnvelope(message);
  if ('refusal' in result) throw new RefusedError(result.refusal);
  return result.envelope;
}

function fromItsSender(directory: AgentDirectory, { senderId }: Envelope, agentId: string): void {
  if (senderId === agentId && directory.get(senderId)) return;
  const ackError = directory.get(senderId)
    ? `Sender agent with ID ${senderId} is not the authenticated agent`
    : `Sender agent with ID ${senderId} not found`;
  throw new RefusedError(refusal('INVALID_SENDER_ID', ackError));
}

function toKnownRecipient(directory: AgentDirectory, { recipientId }: Envelope): void {
  if (directory.get(recipientId)) return;
  throw new RefusedError(refusal('INVALID_RECIPIENT_ID', `Recipient agent with ID ${recipientId} not found`));
}

function refusal(type: ProtocolError['type'], message: string): Refusal {
  return { ackError: message, errors: [{ type, message }] };
}

async function store(context: AcceptContext, envelope: Envelope, body: Buffer): Promise<void> {
  const { publisher, confirmTimeoutMs, declareAgent } = context;
  const publication = { queue: envelope.recipientId, body, messageId: envelope.id, headers: traceHeaders(envelope) };
  try {
    await publisher.publish(publication, confirmTimeoutMs);
  } catch (error) {
    if (!(error instanceof UnroutableError)) throw error;
    // A known agent without a queue: added a moment ago, or somebody deleted it.
    await declareAgent(publication.queue);
    await publisher.publish(publication, confirmTimeoutMs);
  }
}

/** Beside the body, for whoever reads a queue without reading messages; the body's counts. */
function traceHeaders(envelope: Envelope): Record<string, string> | undefined {
  const trace = traceContextOf(envelope);
  return trace && { ...trace };
}

function withinSize(envelope: Envelope, maxBytes: number, room: number): Buffer {
  const body = bodyOf(envelope);
  if (body.length <= maxBytes + room) return body;
  throw new RefusedError(refusal('INVALID_FORMAT', `The message is too large: at most ${maxBytes} bytes`));
}

/** What could be parsed cannot always be printed: the stack ends before the nesting of a hostile message does. */
function bodyOf(envelope: Envelope): Buffer {
  try {
    return Buffer.from(JSON.stringify({ ...envelope, receivedAt: new Date().toISOString() }));
  } catch {
    throw new RefusedError({ ...refusal('UNKNOWN', 'The message is nested too deeply'), ackError: UNREADABLE });
  }
}

async function againOnceDeclared(publish: () => Promise<void>, declare: () => Promise<void>): Promise<void> {
  try {
    await publish();
  } catch (error) {
    if (!(error instanceof UnroutableError)) throw error;
    await declare();
    await publish();
  }
}

async function refuse(context: AcceptContext, agentId: string, message: unknown, why: Refusal): Promise<ServerAck> {
  const answer: ServerAck = { status: 'error', error: why.ackError };
  const isKept = context.failures.takes(agentId);
  context.events.refused(agentId, why.errors, idOf(message) ?? '', isKept, traceField(message));
  if (!isKept) return answer;
  try {
    const { publisher, confirmTimeoutMs } = context;
    const record = () => recordFailure(publisher, message, why.errors, confirmTimeoutMs, MAX_RECORD_BYTES);
    await againOnceDeclared(record, () => context.declareFailures());
    context.events.recorded(why.errors);
  } catch (error) {
    // The sender hears of its mistake all the same; only the copy for the operators is missing.
    context.log.error(`a refused message could not be put into validation-failures: ${messageOf(error)}`);
  }
  return answer;
}

function unavailable(context: AcceptContext, agentId: string, message: unknown, error: unknown): ServerAck {
  const code = codeOf(error);
  const { recipientId, traceparent } = message as Envelope;
  context.events.unavailable({ id: idOf(message) ?? '', senderId: agentId, recipientId, traceparent }, code);
  if (code === 'INTERNAL') context.log.error(`accepting a message failed: ${messageOf(error)}`);
  const text = error instanceof DmrError ? error.message : 'Internal error, send it again';
  return { status: 'error', error: text, retryable: true };
}
