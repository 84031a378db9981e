import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Socket } from 'socket.io';
import type { AgentRecord } from '../agents/agent-record';
import { FULL_LIST, MESSAGE_DOWN } from '../protocol/events';
import type { StoredEnvelope } from '../protocol/envelope';
import type { SendDown } from '../router/deliver';

const FLUSH_TIMEOUT_MS = 5000;

/** Where Socket.IO keeps the callbacks of acks that are still to come, for ever if they never do. */
interface AckTable {
  acks: Map<number, unknown>;
  nsp: { _ids: number };
}

/** One login of one agent: its socket from the handshake to the disconnect. */
export class AgentSession {
  /** Login, ms since the epoch. */
  readonly since = Date.now();

  constructor(
    readonly agentId: string,
    private readonly socket: Socket,
    /** How long the ack of a message is listened for, ms: late ones count. */
    private readonly listenMs: number,
    private readonly onSend: (event: string) => void,
  ) {}

  get isOpen(): boolean {
    return this.socket.connected;
  }

  /**
   * Sends the agent list and resolves when the agent had time to read it: deployed agents answer DECRYPTION_FAILED to a
   * message that overtakes the list, and acknowledge no list.
   */
  async sendFullList(agents: AgentRecord[], graceMs: number): Promise<void> {
    const timeout = AbortSignal.timeout(FLUSH_TIMEOUT_MS);
    // Listening before emitting: a free transport takes the packet, and says so, within the emit.
    const drained = once(this.socket.conn, 'drain', { signal: timeout }).catch(() => undefined);
    // The list is an array in an array: deployed agents read it so.
    this.socket.emit(FULL_LIST, [agents]);
    this.onSend(FULL_LIST);
    await drained;
    await delay(graceMs);
  }

  /** Sends a message down; `answer` gets the agent's ack, if it ever comes. */
  readonly send: SendDown = (envelope: StoredEnvelope, answer: (ack: unknown) => void): void => {
    this.onSend(MESSAGE_DOWN);
    const { acks, nsp } = this.socket as unknown as AckTable;
    const id = nsp._ids;
    // Not `socket.timeout()`: its timer outlives the socket and keeps a process that was stopped alive.
    const timer = setTimeout(() => acks.delete(id), this.listenMs).unref();
    this.socket.emit(MESSAGE_DOWN, envelope, (ack: unknown) => {
      clearTimeout(timer);
      answer(ack);
    });
  };

  /** Drops the socket, and with it the connection, so that the agent has to log in again. */
  drop(): void {
    this.socket.disconnect(true);
  }
}
