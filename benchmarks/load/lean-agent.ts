import type { KeyObject } from 'node:crypto';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import WebSocket from 'ws';
import { makeToken } from '../../lib/crypto/token';
import { gatherWrites } from '../../lib/gather-writes';
import { FULL_LIST, MESSAGE_DOWN, MESSAGE_UP } from '../../lib/protocol/events';

/** What one agent sees of its socket. */
export interface LeanEvents {
  /** The server's ack of the message that `send` called `tag`. */
  acked: (tag: number, ok: boolean, text: string) => void;
  /** A message came down; it is acked at once. */
  arrived: (text: string) => void;
}

const ACK_OK = '[{"status":"ok"}]';

/**
 * An agent's socket reduced to what costs the server something: it speaks Socket.IO over `ws` by text alone, parses no
 * JSON, opens no seal, and acks what comes down (Socket.IO protocol 5, Engine.IO protocol 4).
 */
export class LeanAgent {
  private socket: WebSocket | undefined;
  private readonly prefixUp: string;
  private readonly ack: string;
  private readonly down: string;
  /** Set from the socket's open to the agent list. */
  private listed: (() => void) | undefined;

  constructor(
    readonly id: string,
    private readonly key: KeyObject,
    private readonly url: string,
    private readonly namespace: string,
    private readonly events: LeanEvents,
  ) {
    this.prefixUp = `42${namespace},`;
    this.ack = `43${namespace},`;
    this.down = `["${MESSAGE_DOWN}",`;
  }

  /** Logs in and resolves when the agent list came. */
  async login(): Promise<void> {
    const token = await makeToken(this.id, this.key);
    const address = `${this.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`;
    const socket = (this.socket = new WebSocket(address, { perMessageDeflate: false }));
    await once(socket, 'open');
    gatherWrites((socket as unknown as { _socket: Writable })._socket);
    socket.send(`40${this.namespace},${JSON.stringify({ token })}`);
    socket.on('message', (data: Buffer) => this.take(data));
    await new Promise<void>((resolve, reject) => {
      this.listed = resolve;
      socket.once('close', () => reject(new Error('the server closed the socket')));
    });
  }

  /** Sends the JSON of an envelope up. */
  send(tag: number, envelope: string): void {
    this.socket?.send(`${this.prefixUp}${tag}["${MESSAGE_UP}",${envelope}]`);
  }

  close(): void {
    this.socket?.removeAllListeners('close');
    this.socket?.close();
  }

  private take(data: Buffer): void {
    const text = data.toString('latin1'); // all that is looked at is ASCII
    if (text === '2') return void this.socket?.send('3');
    const at = text.indexOf(',', 2);
    if (text.startsWith(this.ack)) return this.answered(text, at);
    if (!text.startsWith(this.prefixUp)) return;
    const bracket = text.indexOf('[', at);
    if (!text.startsWith(this.down, bracket)) return this.listArrived(text, bracket);
    if (bracket > at + 1) this.socket?.send(`${this.ack}${text.slice(at + 1, bracket)}${ACK_OK}`);
    this.events.arrived(text);
  }

  private answered(text: string, at: number): void {
    const bracket = text.indexOf('[', at);
    this.events.acked(Number(text.slice(at + 1, bracket)), text.startsWith(ACK_OK, bracket), text);
  }

  private listArrived(text: string, bracket: number): void {
    if (!text.startsWith(`["${FULL_LIST}"`, bracket)) return;
    this.listed?.();
    this.listed = undefined;
  }
}
