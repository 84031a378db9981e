import { FinalError, messageOf, RetryableError } from '../errors';

/** What amqplib says of a nack (channel.js); all other failures are those of the channel. */
const NACKED = 'message nacked';

/** No such queue: the broker returned the message (mandatory; AMQP 0-9-1 basic.return, reply code 312). */
export class UnroutableError extends FinalError {
  constructor(queue: string) {
    super('QUEUE_MISSING', `RabbitMQ has no queue ${queue}; it must be declared before a message can wait in it`);
  }
}

/** The broker has answered that it does not take the message. */
export class NackedError extends RetryableError {
  constructor(queue: string, cause: unknown) {
    super('NACKED', `RabbitMQ takes nothing into ${queue}: it is full or has lost its majority`, { cause });
  }
}

/** Nothing was sent, as earlier messages to the queue are not answered; `isSilent` when that is so for long. */
export class HeldError extends RetryableError {
  constructor(
    queue: string,
    readonly isSilent: boolean,
  ) {
    super('HELD', `RabbitMQ does not answer for ${queue}`);
  }
}

export function unavailable(why: string, cause?: unknown): RetryableError {
  return new RetryableError('BROKER_UNAVAILABLE', `${why}; send it again with the same id`, { cause });
}

export function isNack(error: unknown): boolean {
  return messageOf(error) === NACKED;
}
