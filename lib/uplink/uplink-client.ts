import type { KeyObject } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { io, type Socket } from 'socket.io-client';
import type { AgentRecord, PartialRecord } from '../agents/agent-record';
import type { AgentConfig } from '../config/types';
import { makeToken } from '../crypto/token';
import { messageOf, RetryableError } from '../errors';
import type { Log } from '../log';
import type { Envelope } from '../protocol/envelope';
import { FULL_LIST, MESSAGE_DOWN, MESSAGE_UP, PARTIAL_LIST, type AgentAck, type ServerAck } from '../protocol/events';
import { readList } from './agent-list';
import { guardPackets, GuardedWebSocket } from './guards';

interface UplinkEvents {
  fullList: [AgentRecord[]];
  partialList: [PartialRecord[]];
  connected: [];
  /** How long the connection was up, ms. */
  disconnected: [number];
  failed: [];
}

/** Answers a message from the server; must not throw. */
export type MessageListener = (message: unknown) => Promise<AgentAck>;

/**
 * The agent's one connection to the server. It logs in with a fresh token at every attempt and comes back after every
 * kind of loss, a refused login included.
 */
export class UplinkClient extends EventEmitter<UplinkEvents> {
  private socket: Socket | undefined;
  private connectedAt = 0;
  private complained = false;
  private retryTimer: NodeJS.Timeout | undefined;
  private readonly underWay = new Set<Promise<void>>();

  constructor(
    private readonly config: AgentConfig,
    private readonly key: KeyObject,
    private readonly onMessage: MessageListener,
    private readonly log: Log,
  ) {
    super();
  }

  get connected(): boolean {
    return this.socket?.connected ?? false;
  }

  start(): void {
    const { url, namespace, reconnectDelayMs, reconnectDelayMaxMs } = this.config.uplink;
    const socket = io(new URL(namespace, url).href, {
      autoConnect: false,
      transports: [GuardedWebSocket], // no long polling, so no sticky sessions in front of the server
      reconnectionDelay: reconnectDelayMs,
      reconnectionDelayMax: reconnectDelayMaxMs,
      auth: (give) => void this.freshToken().then((token) => give({ token })),
    });
    this.socket = socket;
    guardPackets(socket, () => this.log.warn('the server sent something that cannot be handled; connecting anew'));
    socket.on('connect', () => this.opened());
    socket.on('connect_error', (error) => this.failed(socket, error));
    socket.on('disconnect', (reason) => this.closed(socket, reason));
    socket.on(FULL_LIST, (data: unknown) => this.listArrived(data, (agents) => this.emit('fullList', agents)));
    socket.on(PARTIAL_LIST, (data: unknown) => this.listArrived(data, (agents) => this.emit('partialList', agents)));
    socket.on(MESSAGE_DOWN, (message: unknown, ack: unknown) => this.take(message, ack));
    socket.connect();
  }

  /**
   * Takes no further message, gives those under way `graceMs` to be answered, and disconnects: an answer that is not
   * sent makes the server deliver the message again.
   */
  async stop(graceMs = 0): Promise<void> {
    clearTimeout(this.retryTimer);
    this.socket?.off(MESSAGE_DOWN);
    await Promise.race([Promise.allSettled(this.underWay), delay(graceMs, undefined, { ref: false })]);
    this.socket?.disconnect();
  }

  /**
   * Sends an envelope up and resolves with the server's ack. Throws RetryableError: UPLINK_DOWN when there is no
   * connection, UPLINK_LOST when it was lost before the ack, NO_ANSWER when none came within `timeoutMs`.
   */
  async send(envelope: Envelope, timeoutMs: number): Promise<ServerAck> {
    const socket = this.socket;
    if (!socket?.connected) throw new RetryableError('UPLINK_DOWN', 'This agent is not connected to the DMR server');
    try {
      return (await socket.timeout(timeoutMs).emitWithAck(MESSAGE_UP, envelope)) as ServerAck;
    } catch (cause) {
      if (!socket.connected) {
        const lost =
          'The connection to the DMR server was lost before its answer; send the message again with the same id';
        throw new RetryableError('UPLINK_LOST', lost, { cause });
      }
      const why = `The DMR server did not answer within ${timeoutMs} ms; send the message again with the same id`;
      throw new RetryableError('NO_ANSWER', why, { cause });
    }
  }

  /** An empty token, refused by the server, keeps the attempts going when signing fails. */
  private async freshToken(): Promise<string> {
    try {
      return await makeToken(this.config.agentId, this.key);
    } catch (error) {
      this.log.error(`no login token could be made: ${messageOf(error)}`);
      return '';
    }
  }

  private opened(): void {
    this.connectedAt = Date.now();
    this.complained = false;
    this.log.info('uplink connected', { event: 'uplink-connected' });
    this.emit('connected');
  }

  private failed(socket: Socket, error: Error): void {
    if (!this.complained) this.log.warn(`the server cannot be reached or refuses the login: ${error.message}`);
    this.complained = true;
    this.emit('failed');
    this.reconnectIfNeeded(socket);
  }

  private closed(socket: Socket, reason: string): void {
    this.log.warn('uplink disconnected', { event: 'uplink-disconnected', reason });
    this.emit('disconnected', Date.now() - this.connectedAt);
    if (reason !== 'io client disconnect') this.reconnectIfNeeded(socket);
  }

  /** The client tries again by itself, except when the server refused the login or dropped the socket. */
  private reconnectIfNeeded(socket: Socket): void {
    if (socket.active) return;
    const { reconnectDelayMs, reconnectDelayMaxMs } = this.config.uplink;
    const wait = reconnectDelayMs + Math.random() * Math.max(0, reconnectDelayMaxMs - reconnectDelayMs) * 0.5;
    clearTimeout(this.retryTimer);
    this.retryTimer = setTimeout(() => socket.connect(), wait);
  }

  private listArrived(data: unknown, take: (agents: PartialRecord[]) => void): void {
    const agents = readList(data);
    if (agents) take(agents);
    else this.log.warn('the server sent something that is no agent list; the one from before stays');
  }

  private take(message: unknown, ack: unknown): void {
    const answering = this.answer(message, ack).finally(() => this.underWay.delete(answering));
    this.underWay.add(answering);
  }

  private async answer(message: unknown, ack: unknown): Promise<void> {
    const answer = await this.onMessage(message);
    if (typeof ack === 'function') (ack as (answer: AgentAck) => void)(answer);
  }
}
