import type { Channel, ConsumeMessage } from 'amqplib';

type Acking = Pick<Channel, 'ack'>;
type Delivered = Pick<ConsumeMessage, 'fields'>;

/**
 * The acks of one consumer's channel. Those of one turn of the event loop go out together, as one ack up to where nothing
 * is missing before it (AMQP 0-9-1, basic.ack, `multiple`). Of acks to a quorum queue RabbitMQ sends 32 ahead of the
 * queue's answers and keeps the rest, which are lost when the channel closes meanwhile (rabbit_fifo_client): an agent that
 * answers much at once and leaves would get it again.
 */
export class Acks {
  /** Delivered and not acked, in the order of the channel. */
  private readonly open = new Set<number>();
  private readonly due = new Map<number, ConsumeMessage>();
  private timer: NodeJS.Immediate | undefined;

  /** `failed` is told when the channel takes no ack any more: RabbitMQ then hands the messages out again. */
  constructor(
    private readonly channel: Acking,
    private readonly failed: (error: unknown) => void,
  ) {}

  /** To be called for each message in the order in which they come. */
  delivered({ fields }: Delivered): void {
    this.open.add(fields.deliveryTag);
  }

  /** Acks the message by the end of the turn. */
  add(message: ConsumeMessage): void {
    this.due.set(message.fields.deliveryTag, message);
    this.timer ??= setImmediate(() => this.flush());
  }

  /** Sends what is due; to be called before the channel is closed. */
  flush(): void {
    const last = this.takeFromTheFront();
    const others = [...this.due.values()];
    this.forget();
    try {
      if (last) this.channel.ack(last, true);
      for (const message of others) {
        this.open.delete(message.fields.deliveryTag);
        this.channel.ack(message);
      }
    } catch (error) {
      this.failed(error);
    }
  }

  /** Drops what is due; to be called when the channel was lost. */
  forget(): void {
    clearImmediate(this.timer);
    this.timer = undefined;
    this.due.clear();
  }

  /** The last of the messages before which none is missing. */
  private takeFromTheFront(): ConsumeMessage | undefined {
    let last: ConsumeMessage | undefined;
    for (const tag of this.open) {
      const message = this.due.get(tag);
      if (!message) break;
      this.due.delete(tag);
      this.open.delete(tag);
      last = message;
    }
    return last;
  }
}
