import { on, once } from 'node:events';
import { io, type Socket } from 'socket.io-client';
import { EVENTS, makeDeployedToken, NAMESPACE } from './deployed-agent';
import type { AgentIdentity } from './keys';

/** Out of reach of the ids that the client counts up. */
const RAW_ACK_ID = 1_000_000;

interface Packet {
  id?: number;
  data: unknown[];
}

/** An agent's socket without an agent behind it: emits what no agent would. */
export class RawSocket {
  private constructor(private readonly socket: Socket) {}

  /** Logs in. */
  static async open(url: string, identity: AgentIdentity): Promise<RawSocket> {
    const auth = { token: await makeDeployedToken(identity) };
    const socket = io(url + NAMESPACE, { transports: ['websocket'], auth, forceNew: true });
    await once(socket as unknown as NodeJS.EventEmitter, 'connect');
    return new RawSocket(socket);
  }

  get connected(): boolean {
    return this.socket.connected;
  }

  /** Sends a message of any number of arguments and returns the ack. */
  async emit(...args: unknown[]): Promise<unknown> {
    const ack: unknown = await this.socket.timeout(5000).emitWithAck(EVENTS.toServer, ...args);
    return ack;
  }

  /** The same without asking for an ack. */
  emitWithoutAck(...args: unknown[]): void {
    this.socket.emit(EVENTS.toServer, ...args);
  }

  /** Sends a message whose argument is this very text, which the client's encoder might not make, and returns the ack. */
  async emitText(json: string): Promise<unknown> {
    const manager = this.socket.io as unknown as NodeJS.EventEmitter;
    const acks = on(manager, 'packet', { signal: AbortSignal.timeout(5000) }) as AsyncIterable<[Packet]>;
    this.socket.io.engine.write(`2${NAMESPACE},${RAW_ACK_ID}["${EVENTS.toServer}",${json}]`);
    for await (const [{ id, data }] of acks) if (id === RAW_ACK_ID) return data[0];
    throw new Error('no ack');
  }

  close(): void {
    this.socket.disconnect();
  }
}
