import type { ChannelModel } from 'amqplib';
import { socketOf } from './socket-of';

/** What may wait for the socket before its channels are told to pause, bytes; a thousand small messages. */
const HIGH_WATER_BYTES = 2 ** 20;

/** Where a channel of amqplib leaves its frames. */
interface FrameWriter {
  write(frame: Buffer): boolean;
  end(): void;
}

/** A channel of amqplib; emits 'drain' when told. */
interface Channel {
  onBufferDrain(): void;
}

/** What amqplib 0.10 keeps to itself of a connection. */
interface Internals {
  muxer: { unpipeFrom(buffer: FrameWriter): void };
  channels: ({ buffer: FrameWriter } | null)[];
  freshChannel(channel: Channel, options?: object): number;
}

/**
 * Has each channel that is opened from now on write its frames to the connection's socket itself, in the order in which
 * they are made. amqplib takes them through a stream for each channel and one turn of the event loop, which costs a busy
 * node a tenth of its messages; heartbeats it writes as it is done here. A channel's `publish` returns false as
 * the socket falls behind by more than 1 MiB; 'drain' follows when it has taken everything, so that each channel of a
 * connection has to heed it.
 */
export function writeDirectly(model: Pick<ChannelModel, 'connection'>): void {
  const socket = socketOf(model);
  const internals = model.connection as unknown as Internals;
  const { muxer, channels } = internals;
  const paused = new Set<Channel>();
  socket.on('drain', () => {
    const resumed = [...paused];
    paused.clear();
    for (const channel of resumed) channel.onBufferDrain();
  });
  const freshChannel = internals.freshChannel.bind(internals);
  internals.freshChannel = (channel, options) => {
    const number = freshChannel(channel, options);
    const opened = channels[number] as { buffer: FrameWriter };
    muxer.unpipeFrom(opened.buffer);
    opened.buffer = {
      write(frame) {
        socket.write(frame);
        if (socket.writableLength < HIGH_WATER_BYTES) return true;
        paused.add(channel);
        return false;
      },
      end: () => void paused.delete(channel),
    };
    return number;
  };
}
