import { NodeWebSocket } from 'engine.io-client';
import type { Socket } from 'socket.io-client';

// The client throws for some of what a server may say where nobody can catch it, which would end the process.

type EnginePacket = Parameters<NodeWebSocket['onPacket']>[0];

/** A WebSocket that ends its connection for a handshake that is none, such as one that is no JSON. */
export class GuardedWebSocket extends NodeWebSocket {
  override onPacket(packet: EnginePacket): void {
    try {
      super.onPacket(packet);
    } catch (error) {
      this.onError('the server sent something that is not Socket.IO', error);
    }
  }
}

/** `CONNECT_ERROR` of socket.io-parser. */
const REFUSED_LOGIN = 4;

interface PacketHandler {
  onpacket(packet: { type: number; data?: { message?: unknown } }): void;
}

/**
 * Gives a refused login a reason where the server gave none that is a text, and ends the connection for an event that
 * has no name. To be called before the socket connects.
 */
export function guardPackets(socket: Socket, onNonsense: () => void): void {
  const handler = socket as unknown as PacketHandler;
  const onpacket = handler.onpacket.bind(socket);
  handler.onpacket = (packet) => {
    const unexplained = packet.type === REFUSED_LOGIN && typeof packet.data?.message !== 'string';
    try {
      onpacket(unexplained ? { ...packet, data: { message: 'the server gave no reason' } } : packet);
    } catch {
      onNonsense();
      socket.io.engine.close();
    }
  };
}
