import { EventEmitter } from 'node:events';
import type { Message } from 'amqplib';
import type { AmqpConnection } from '../../../lib/amqp/connection';

interface Lying {
  id: string;
  headers: object;
  body: object;
  redelivered: boolean;
}

/** One queue of a broker, beside the locks: it gives out in order, and takes back in front. */
export class FakeQueue {
  lying: Lying[] = [];
  /** Consumers of somebody else. */
  others = 0;
  /** Called as messages have come back. */
  onReturn: () => void = () => undefined;
  /** Another process holds the lock. */
  isLocked = false;
  /** Called as somebody wanted the lock in vain. */
  onRefusal: () => void = () => undefined;
  /** The channel is lost with the ack of this message. */
  losesAt: string | undefined;
  private consumers = 0;

  readonly connection = {
    brokerVersion: '4.1.0',
    channel: () => Promise.resolve(this.channel()),
  } as unknown as AmqpConnection;

  put(id: string, headers: object = {}, body: object = {}, redelivered = false): this {
    this.lying.push({ id, headers, body, redelivered });
    return this;
  }

  look() {
    return { messageCount: this.lying.length, consumerCount: this.consumers + this.others };
  }

  private lock(): Promise<void> {
    if (!this.isLocked) return Promise.resolve();
    this.onRefusal();
    return Promise.reject(Object.assign(new Error('locked'), { code: 405 }));
  }

  private channel() {
    const channel = new EventEmitter();
    const held = new Map<Message, Lying>();
    let prefetch = 0;
    let isConsumer = false;
    const cancel = () => {
      if (isConsumer) this.consumers -= 1;
      isConsumer = false;
      return Promise.resolve();
    };
    return Object.assign(channel, {
      checkQueue: () => Promise.resolve(this.look()),
      assertQueue: () => this.lock(),
      deleteQueue: () => Promise.resolve(),
      prefetch: (count: number) => Promise.resolve(void (prefetch = count)),
      consume: (_queue: string, give: (message: Message) => void) => {
        isConsumer = true;
        this.consumers += 1;
        for (const one of this.lying.splice(0, prefetch)) {
          const message = messageOf(one);
          held.set(message, one);
          give(message);
        }
        return Promise.resolve({ consumerTag: 'tag' });
      },
      cancel,
      ack: (message: Message) => {
        if (held.get(message)?.id === this.losesAt) channel.emit('close');
        else held.delete(message);
      },
      close: async () => {
        await cancel();
        this.lying.unshift(...[...held.values()].map((one) => ({ ...one, redelivered: true })));
        if (held.size > 0) this.onReturn();
        held.clear();
        channel.emit('close');
      },
    });
  }
}

function messageOf({ id, headers, body, redelivered }: Lying): Message {
  const properties = { messageId: id, headers } as unknown as Message['properties'];
  return { content: Buffer.from(JSON.stringify(body)), fields: { redelivered } as Message['fields'], properties };
}
