import type { Duplex } from 'node:stream';
import type { ChannelModel } from 'amqplib';

/** The socket of a connection: amqplib 0.10 shows it to nobody, so this looks inside. */
export function socketOf({ connection }: Pick<ChannelModel, 'connection'>): Duplex {
  return (connection as unknown as { stream: Duplex }).stream;
}
