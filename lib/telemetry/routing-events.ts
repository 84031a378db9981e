import { dlqName } from '../amqp/topology';
import type { Log } from '../log';
import type { ErrorType, ProtocolError } from '../protocol/events';
import { Seldom } from '../seldom';
import type { Metrics } from './metrics';
import { traceField } from './trace-context';

const REPEAT_WARNING_MS = 60_000;
const LATENCY = 'dmr_message_latency_seconds';

/** The ids of a message: all that logs and metrics ever say of it. */
export interface MessageIds {
  id: string;
  senderId: string;
  recipientId: string;
  traceparent?: unknown;
}

/** Why a message is tried again or dead-lettered. */
export type FailureReason =
  | 'NO_ACK'
  | 'DELIVERY_FAILED'
  | 'BAD_ACK'
  | 'CHATBOT_REFUSED'
  | 'SOCKET_LOST'
  | 'UNPARSEABLE'
  | 'UNSENDABLE'
  | 'AGENT_REMOVED';

/** One helper per thing that happens to a message on a server node: its counter and its log line. */
export class RoutingEvents {
  private readonly warnings = new Seldom(REPEAT_WARNING_MS);

  constructor(
    private readonly metrics: Metrics,
    private readonly log: Log,
    /** Whether the log takes what is said of each message: nobody makes it for a log that drops it. */
    private readonly verbose = true,
  ) {}

  accepted(message: MessageIds): void {
    this.metrics.incFor(message.senderId, 'dmr_messages_accepted_total');
    if (this.verbose) this.log.debug('message accepted', { event: 'accepted', ...ids(message) });
  }

  /** Counted always; told unless its sender has too many of them. */
  refused(
    senderId: string,
    errors: ProtocolError[],
    id: string,
    isTold = true,
    trace: { traceId?: string } = {},
  ): void {
    const type = errors[0]?.type ?? 'UNKNOWN';
    this.metrics.inc('dmr_messages_refused_total', { reason: type });
    if (!isTold) return;
    const context = { event: 'refused', messageId: id, senderId, types: typesOf(errors), ...trace };
    this.log.warn('message refused', context);
  }

  unavailable(message: MessageIds, code: string): void {
    this.metrics.inc('dmr_messages_refused_total', { reason: code });
    const context = { event: 'unavailable', ...ids(message), code };
    const text = 'message not accepted, the sender must repeat it';
    // While the broker is away this happens with every message.
    const heldBack = this.warnings.mayTell(code);
    if (heldBack === undefined) this.log.debug(text, context);
    else this.log.warn(text, { ...context, heldBack });
  }

  recorded(errors: ProtocolError[]): void {
    for (const type of typesOf(errors)) this.metrics.inc('dmr_validation_failures_total', { type });
  }

  sent(message: MessageIds, attempt: number, reason: FailureReason | undefined): void {
    if (reason) this.metrics.incFor(message.recipientId, 'dmr_messages_retried_total', { reason });
    if (!this.verbose) return;
    this.log.debug('message sent down', { event: 'sent', ...ids(message), attempt, ...(reason && { reason }) });
  }

  /** A message that was replayed has no latency: how long it lay was for an operator to decide. */
  delivered(message: MessageIds & { receivedAt?: unknown }, attempt: number, isReplayed = false): void {
    this.metrics.incFor(message.recipientId, 'dmr_messages_delivered_total');
    const latencyMs = isReplayed ? NaN : Date.now() - receivedMs(message);
    // Another node's clock may be ahead; what was put into the queue by others may carry no time.
    if (Number.isFinite(latencyMs)) this.metrics.observe(LATENCY, Math.max(0, latencyMs / 1000));
    if (this.verbose) this.log.debug('message delivered', { event: 'delivered', ...ids(message), attempt });
  }

  rejected(message: MessageIds, errors: ProtocolError[]): void {
    this.log.warn('recipient rejected the message', { event: 'rejected', ...ids(message), types: typesOf(errors) });
  }

  /** What is to leave the agent's queue stays in it, as no other takes it yet. */
  notPutAway(agentId: string, why: string): void {
    const heldBack = this.warnings.mayTell(`put away ${agentId}`);
    if (heldBack !== undefined) this.log.warn(`a message of ${agentId} waits to be put away: ${why}`, { heldBack });
  }

  deadLettered(agentId: string, id: string, reason: FailureReason, tries: number, message?: MessageIds): void {
    this.metrics.incFor(agentId, 'dmr_messages_dead_lettered_total', { reason });
    const all = { ...(message && ids(message)), messageId: id };
    const queue = dlqName(agentId);
    this.log.warn('message dead-lettered', { event: 'dead-lettered', ...all, queue, reason, tries });
  }
}

function ids({ id, senderId, recipientId, traceparent }: MessageIds): object {
  return { messageId: id, senderId, recipientId, ...traceField({ traceparent }) };
}

/** NaN when it says no time. */
function receivedMs({ receivedAt }: { receivedAt?: unknown }): number {
  return typeof receivedAt === 'string' ? Date.parse(receivedAt) : NaN;
}

function typesOf(errors: ProtocolError[]): ErrorType[] {
  return [...new Set(errors.map((error) => error.type))];
}
