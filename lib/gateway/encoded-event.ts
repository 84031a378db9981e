import { randomInt } from 'node:crypto';
import type { Namespace, Socket } from 'socket.io';
import WebSocket from 'ws';

interface SenderWithFrame {
  Sender: { frame(data: Buffer, options: object): Buffer[] };
}

/** What lies below a socket and takes packets that are encoded already. */
interface Below {
  client: { writeToEngine(packets: string[], options: object): void };
  /** Callbacks of acks that are still to come; Socket.IO keeps them for ever if they never do. */
  acks: Map<number, (ack: unknown) => void>;
  nsp: { name: string; _ids: number };
}

const { Sender } = WebSocket as unknown as SenderWithFrame;
/** One unmasked text frame (RFC 6455, 5.2). */
const TEXT_FRAME = { readOnly: false, mask: false, rsv1: false, opcode: 1, fin: true };
const PLAIN = { preEncoded: true, compress: true };
const END = ']'.charCodeAt(0);

/**
 * An event that many sockets of one namespace are to get at different times, as bytes that exist once. Socket.IO itself
 * does so within one broadcast (socket.io-adapter, `_encode`); emitted to each socket, a list of 1,000 agents would be
 * encoded 1,000 times.
 */
export class EncodedEvent {
  private readonly packet: string;
  private readonly options: object;

  constructor(namespace: string, event: string, argument: unknown) {
    this.packet = `${header(namespace)}${JSON.stringify([event, argument])}`;
    // Engine.IO's type `message` before it; long polling takes the text.
    this.options = encoded(Buffer.from(`4${this.packet}`));
  }

  sendTo(socket: Socket): void {
    below(socket).client.writeToEngine([this.packet], this.options);
  }
}

/**
 * Emits an event whose argument is JSON already, without reading and printing it again: `body` has to be valid JSON in
 * UTF-8. Returns the id of the ack that `answer` is called with.
 */
export function emitEncoded(socket: Socket, event: string, body: Buffer, answer: (ack: unknown) => void): number {
  const { acks, nsp, client } = below(socket);
  const id = nsp._ids++;
  acks.set(id, answer);
  if (!socket.connected) return id;
  const before = `${header(nsp.name)}${id}["${event}",`;
  // Nothing goes back from WebSocket to long polling, so that there the text is never asked for.
  if (socket.conn.transport.name === 'websocket') client.writeToEngine([''], encoded(framed(`4${before}`, body)));
  else client.writeToEngine([`${before}${body.toString()}]`], PLAIN);
  return id;
}

/**
 * Has the ids of a namespace's acks begin anywhere. Socket.IO counts them from 0 in each process, and its client answers
 * over whatever connection there is: a late answer to a message of another node would ack the one that has its id here.
 */
export function scatterAckIds(namespace: Namespace): void {
  (namespace as unknown as Below['nsp'])._ids = randomInt(2 ** 40);
}

/** Waits for this ack no longer. */
export function forgetAck(socket: Socket, id: number): void {
  below(socket).acks.delete(id);
}

/** Type EVENT, the namespace unless it is the main one (Socket.IO protocol 5, Packet encoding). */
function header(namespace: string): string {
  return `2${namespace === '/' ? '' : `${namespace},`}`;
}

function framed(before: string, body: Buffer): Buffer {
  const length = Buffer.byteLength(before);
  const bytes = Buffer.allocUnsafe(length + body.length + 1);
  bytes.write(before);
  body.copy(bytes, length);
  bytes[bytes.length - 1] = END;
  return bytes;
}

function encoded(bytes: Buffer): object {
  return { ...PLAIN, wsPreEncodedFrame: Sender.frame(bytes, TEXT_FRAME) };
}

function below(socket: Socket): Below {
  return socket as unknown as Below;
}
