import type { Socket } from 'socket.io';
import WebSocket from 'ws';

interface SenderWithFrame {
  Sender: { frame(data: Buffer, options: object): Buffer[] };
}

/** What lies below a socket and takes packets that are encoded already. */
interface Below {
  client: { writeToEngine(packets: string[], options: object): void };
}

const { Sender } = WebSocket as unknown as SenderWithFrame;
/** One unmasked text frame (RFC 6455, 5.2). */
const TEXT_FRAME = { readOnly: false, mask: false, rsv1: false, opcode: 1, fin: true };

/**
 * An event that many sockets of one namespace are to get at different times, as bytes that exist once. Socket.IO itself
 * does so within one broadcast (socket.io-adapter, `_encode`); emitted to each socket, a list of 1,000 agents would be
 * encoded 1,000 times.
 */
export class EncodedEvent {
  private readonly packet: string;
  private readonly options: object;

  constructor(namespace: string, event: string, argument: unknown) {
    // Type EVENT, the namespace unless it is the main one, the arguments (Socket.IO protocol 5, Packet encoding).
    this.packet = `2${namespace === '/' ? '' : `${namespace},`}${JSON.stringify([event, argument])}`;
    // Engine.IO's type `message` before it; long polling takes the text.
    const wsPreEncodedFrame = Sender.frame(Buffer.from(`4${this.packet}`), TEXT_FRAME);
    this.options = { preEncoded: true, compress: true, wsPreEncodedFrame };
  }

  sendTo(socket: Socket): void {
    (socket as unknown as Below).client.writeToEngine([this.packet], this.options);
  }
}
