import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Socket } from 'socket.io';
import { EXTENSIONS, FULL_LIST, MESSAGE_DOWN, SERVER_EXTENSIONS, SERVER_LEAVING } from '../protocol/events';
import type { SendDown } from '../router/deliver';
import { emitEncoded, forgetAck, type EncodedEvent } from './encoded-event';
import { extensionsOf } from './handshake';
import type { Inflow } from './inflow';
import type { Outflow } from './outflow';

const FLUSH_TIMEOUT_MS = 5000;

/** One login of one agent: its socket from the handshake to the disconnect. */
export class AgentSession {
  /** Login, ms since the epoch. */
  readonly since = Date.now();
  /** No consumer begins for it any more: its node is about to stop. */
  leaving = false;
  private readonly extensions: ReadonlySet<string> | undefined;

  constructor(
    readonly agentId: string,
    private readonly socket: Socket,
    /** How long the ack of a message is listened for, ms: late ones count. */
    private readonly listenMs: number,
    private readonly onSend: (event: string) => void,
    /** What comes up over this socket. */
    readonly inflow: Inflow,
    /** What goes down over it. */
    readonly outflow: Outflow,
  ) {
    this.extensions = extensionsOf(socket);
  }

  get isOpen(): boolean {
    return this.socket.connected;
  }

  /** Whether the agent announced this extension. */
  knows(extension: (typeof SERVER_EXTENSIONS)[number]): boolean {
    return this.extensions?.has(extension) ?? false;
  }

  /**
   * Sends the agent list and resolves when the agent had time to read it: deployed agents answer DECRYPTION_FAILED to a
   * message that overtakes the list, and acknowledge no list. A socket that closes meanwhile is not waited for.
   */
  async sendFullList(list: EncodedEvent, graceMs: number): Promise<void> {
    if (!this.isOpen) return;
    if (this.extensions) this.tell(EXTENSIONS, SERVER_EXTENSIONS);
    // Listening before emitting: a free transport takes the packet, and says so, within the emit.
    const flushed = this.flushed();
    list.sendTo(this.socket);
    this.onSend(FULL_LIST);
    await flushed;
    if (this.isOpen) await delay(graceMs);
  }

  /** Sends a message down; `answer` gets the agent's ack, if it ever comes. */
  readonly send: SendDown = (body: Buffer, answer: (ack: unknown) => void): boolean => {
    if (!this.outflow.takes(body.length)) return false;
    this.onSend(MESSAGE_DOWN);
    const id = emitEncoded(this.socket, MESSAGE_DOWN, body, (ack) => {
      clearTimeout(timer);
      answer(ack);
    });
    // Not `socket.timeout()`: its timer outlives the socket and keeps a process that was stopped alive.
    const timer = setTimeout(() => forgetAck(this.socket, id), this.listenMs).unref();
    return true;
  };

  /** Asks the agent to end what is under way, to disconnect and to connect again after a wait. */
  askToLeave(reconnectAfterMs: number): void {
    this.tell(SERVER_LEAVING, { reconnectAfterMs });
  }

  /** Closes the connection below the socket: what was written still goes out, and the agent comes back by itself. */
  hangUp(): void {
    this.socket.conn.close();
  }

  /** Drops the socket, and with it the connection, so that the agent has to log in again. */
  drop(): void {
    this.socket.disconnect(true);
  }

  private tell(event: string, argument: unknown): void {
    this.socket.emit(event, argument);
    this.onSend(event);
  }

  private async flushed(): Promise<void> {
    const { conn } = this.socket;
    const over = new AbortController();
    const signal = AbortSignal.any([AbortSignal.timeout(FLUSH_TIMEOUT_MS), over.signal]);
    const first = Promise.race([once(conn, 'drain', { signal }), once(conn, 'close', { signal })]);
    await first.catch(() => undefined);
    over.abort();
  }
}
