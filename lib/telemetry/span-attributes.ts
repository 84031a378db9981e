import { uuidOrNone } from '../uuid';
import type { Attributes } from './tracing';

/**
 * Names after OpenTelemetry's semantic conventions for messaging
 * (https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/ and …/messaging/rabbitmq/, where the
 * destination of the default exchange is the routing key, here the queue of the recipient) and for HTTP
 * (https://opentelemetry.io/docs/specs/semconv/http/http-spans/). What they have no word for begins with `dmr.`.
 */
type Operation = 'create' | 'send' | 'process';

/** Of a message between agents; an id that is none is left out: it may be anything. */
export function messageAttributes(message: unknown): Attributes {
  const { id, senderId, recipientId } = (message ?? {}) as Record<string, unknown>;
  return {
    'messaging.message.id': uuidOrNone(id),
    'dmr.sender.id': uuidOrNone(senderId),
    'dmr.recipient.id': uuidOrNone(recipientId),
  };
}

/** Of a hop between an agent and its server. */
export function socketHop(operation: Operation): Attributes {
  return { 'messaging.system': 'socket.io', 'messaging.operation.type': operation };
}

/** Of a hop through an agent's queue. */
export function queueHop(operation: Operation, queue: string): Attributes {
  return {
    'messaging.system': 'rabbitmq',
    'messaging.operation.type': operation,
    'messaging.destination.name': queue,
  };
}
