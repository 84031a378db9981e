import type { Log } from '../log';
import type { ErrorType, ProtocolError } from '../protocol/events';
import type { Metrics } from './metrics';

/** The ids of a message: all that logs and metrics ever say of it. */
export interface MessageIds {
  id: string;
  senderId: string;
  recipientId: string;
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
  constructor(
    private readonly metrics: Metrics,
    private readonly log: Log,
  ) {}

  accepted(message: MessageIds): void {
    this.metrics.inc('dmr_messages_accepted_total');
    this.log.debug('message accepted', { event: 'accepted', ...ids(message) });
  }

  /** Counted always; told unless its sender has too many of them. */
  refused(senderId: string, errors: ProtocolError[], id: string, isTold = true): void {
    const type = errors[0]?.type ?? 'UNKNOWN';
    this.metrics.inc('dmr_messages_refused_total', { reason: type });
    if (isTold) this.log.warn('message refused', { event: 'refused', messageId: id, senderId, types: typesOf(errors) });
  }

  unavailable(message: MessageIds, code: string): void {
    this.metrics.inc('dmr_messages_refused_total', { reason: code });
    this.log.warn('message not accepted, the sender must repeat it', { event: 'unavailable', ...ids(message), code });
  }

  recorded(errors: ProtocolError[]): void {
    for (const type of typesOf(errors)) this.metrics.inc('dmr_validation_failures_total', { type });
  }

  sent(message: MessageIds, attempt: number, reason: FailureReason | undefined): void {
    if (reason) this.metrics.inc('dmr_messages_retried_total', { reason });
    this.log.debug('message sent down', { event: 'sent', ...ids(message), attempt });
  }

  delivered(message: MessageIds, attempt: number): void {
    this.metrics.inc('dmr_messages_delivered_total');
    this.log.debug('message delivered', { event: 'delivered', ...ids(message), attempt });
  }

  rejected(message: MessageIds, errors: ProtocolError[]): void {
    this.log.warn('recipient rejected the message', { event: 'rejected', ...ids(message), types: typesOf(errors) });
  }

  deadLettered(queue: string, id: string, reason: FailureReason, tries: number): void {
    this.metrics.inc('dmr_messages_dead_lettered_total', { reason });
    this.log.warn('message dead-lettered', { event: 'dead-lettered', messageId: id, queue, reason, tries });
  }
}

function ids({ id, senderId, recipientId }: MessageIds): object {
  return { messageId: id, senderId, recipientId };
}

function typesOf(errors: ProtocolError[]): ErrorType[] {
  return [...new Set(errors.map((error) => error.type))];
}
