import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { io, type Socket } from 'socket.io-client';
import { EVENTS, makeDeployedToken, NAMESPACE } from './deployed-agent';
import { eventually } from './eventually';
import type { AgentIdentity } from './keys';

const RETRY_MS = 100;
const LEAVING = 'dmr:server:leaving';

/**
 * An agent, as seen from the wire, that knows the extensions `leaving` and `retryable`: it connects to one server after
 * the other, and what is sent while it is between two servers waits.
 */
export class LeavingAgent {
  /** Ids of the messages that came down, the first time they came. */
  readonly received: string[] = [];
  /** How long after the first each further copy of a message came, ms. */
  readonly copiesAfter: number[] = [];
  private readonly firstAt = new Map<string, number>();
  /** What came in place of an `ok`, and acks that never came. */
  readonly failures: unknown[] = [];
  /** Ids whose ack was `ok`. */
  readonly accepted: string[] = [];
  /** What the server said about itself, in order. */
  readonly announced: [string, unknown][] = [];
  private socket: Socket | undefined;
  private turn: number;
  private underWay = 0;
  private mayLeaveAt = Infinity;
  private closed = false;

  private constructor(
    private readonly identity: AgentIdentity,
    private readonly urls: string[],
    /** The server it tries first. */
    first: number,
  ) {
    this.turn = first;
  }

  static async start(identity: AgentIdentity, urls: string[], first = 0): Promise<LeavingAgent> {
    const agent = new LeavingAgent(identity, urls, first);
    void agent.live();
    await eventually(() => agent.connected);
    return agent;
  }

  get connected(): boolean {
    return this.socket?.connected ?? false;
  }

  get id(): string {
    return this.identity.id;
  }

  /** Sends one message, as soon as there is a server to send it to. */
  async send(recipientId: string): Promise<void> {
    while (!this.connected || this.mayLeaveAt < Infinity) await pause(5);
    const id = randomUUID();
    const timestamp = new Date().toISOString();
    const envelope = { id, type: 'ChatMessage', senderId: this.id, recipientId, timestamp, payload: 'sealed' };
    this.underWay++;
    try {
      const ack = (await this.socket?.timeout(15_000).emitWithAck(EVENTS.toServer, envelope)) as { status: string };
      if (ack.status === 'ok') this.accepted.push(id);
      else this.failures.push(ack);
    } catch (error) {
      this.failures.push((error as Error).message);
    }
    this.underWay--;
  }

  private note(id: string): void {
    const first = this.firstAt.get(id);
    if (first !== undefined) return void this.copiesAfter.push(Date.now() - first);
    this.firstAt.set(id, Date.now());
    this.received.push(id);
  }

  close(): void {
    this.closed = true;
    this.socket?.disconnect();
  }

  /** One connection after the other. */
  private async live(): Promise<void> {
    while (!this.closed) {
      this.mayLeaveAt = Infinity;
      await this.connection(this.urls[this.turn++ % this.urls.length] ?? '').catch(() => undefined); // the next one may do
      await pause(Math.max(RETRY_MS, this.mayLeaveAt === Infinity ? 0 : this.mayLeaveAt - Date.now()));
    }
  }

  private async connection(url: string): Promise<void> {
    const auth = { token: await makeDeployedToken(this.identity), extensions: ['leaving', 'retryable'] };
    const socket = io(url + NAMESPACE, { transports: ['websocket'], auth, forceNew: true, reconnection: false });
    this.socket = socket;
    const gone = new Promise<void>((resolve) => {
      socket.on('disconnect', () => resolve());
      socket.on('connect_error', () => resolve());
    });
    for (const event of ['dmr:extensions', EVENTS.fullList, LEAVING]) {
      socket.on(event, (argument: unknown) => this.announced.push([event, argument]));
    }
    socket.on(
      LEAVING,
      ({ reconnectAfterMs }: { reconnectAfterMs: number }) => void this.leave(socket, reconnectAfterMs),
    );
    socket.on(EVENTS.fromServer, ({ id }: { id: string }, ack: (answer: unknown) => void) => {
      this.note(id);
      ack({ status: 'ok' });
    });
    await gone;
    socket.disconnect();
  }

  private async leave(socket: Socket, afterMs: number): Promise<void> {
    this.mayLeaveAt = Date.now() + afterMs;
    while (this.underWay > 0) await pause(5);
    // Acks that were written must reach the server before the connection ends.
    if (socket.io.engine.writeBuffer.length > 0) await once(socket.io.engine as never, 'drain');
    socket.disconnect();
  }
}
