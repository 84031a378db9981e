import { EventEmitter } from 'node:events';
import { io, type Socket } from 'socket.io-client';
import type { AgentRecord, PartialRecord } from '../agents/agent-record';
import type { AgentConfig } from '../config/types';
import { makeToken } from '../crypto/token';
import { messageOf, RetryableError } from '../errors';
import type { Log } from '../log';
import type { Envelope } from '../protocol/envelope';
import {
  EXTENSIONS,
  FULL_LIST,
  MESSAGE_DOWN,
  MESSAGE_UP,
  PARTIAL_LIST,
  SERVER_LEAVING,
  type AgentAck,
  type ServerAck,
} from '../protocol/events';
import { readList } from './agent-list';
import { Attempts } from './attempts';
import { guardPackets, GuardedWebSocket } from './guards';
import type { LoginKeys } from './login-keys';
import { UnderWay } from './under-way';
import { UplinkLostError } from './uplink-lost';

interface UplinkEvents {
  fullList: [AgentRecord[]];
  partialList: [PartialRecord[]];
  connected: [];
  /** The server's list came, so it took the login: a deployed server connects a bad token, too. */
  loggedIn: [];
  /** The server leaves: nothing new goes up until the next login. */
  leaving: [];
  /** How long the connection was up, ms. */
  disconnected: [number];
  failed: [Error];
}

/** Answers a message from the server; must not throw. */
export type MessageListener = (message: unknown) => Promise<AgentAck>;

/** What our agent understands beyond version 1; see docs/protocol.md, Extensions. */
const OUR_EXTENSIONS = ['leaving', 'retryable'];
/** An attempt that has not connected by then, the namespace included, is given up, ms. */
const ATTEMPT_TIMEOUT_MS = 5000;
/** What a server that leaves lets us end, ms; what is not answered by then is delivered again by another. */
const LEAVE_GRACE_MS = 2000;
/** A server cannot keep an agent away for longer, ms. */
const LEAVE_MAX_MS = 60_000;

/**
 * The agent's one connection to the centre. Every attempt goes to the next URL with a fresh token, and it comes back
 * after every kind of loss, a refused login included.
 */
export class UplinkClient extends EventEmitter<UplinkEvents> {
  private readonly sockets = new Map<string, Socket>();
  /** The one that is connected, or tries to be. */
  private socket: Socket | undefined;
  /** Counts the attempts: the same Socket serves one connection after the other. */
  private attempt = 0;
  /** By `performance.now()`; undefined until the current socket has connected. */
  private connectedAt: number | undefined;
  private loggedIn = false;
  /** When a server that leaves wants us back, by `performance.now()`. */
  private returnAt: number | undefined;
  private stopped = false;
  private complained = false;
  private attemptTimer: NodeJS.Timeout | undefined;
  private retryTimer: NodeJS.Timeout | undefined;
  private readonly attempts: Attempts;
  private readonly answering = new UnderWay();
  private readonly sending = new UnderWay();
  private readonly flights = new Set<{ alone: boolean }>();

  constructor(
    private readonly config: Pick<AgentConfig, 'agentId' | 'uplink'>,
    private readonly keys: Pick<LoginKeys, 'next' | 'refused' | 'accepted'>,
    private readonly onMessage: MessageListener,
    private readonly log: Log,
    private readonly attemptTimeoutMs = ATTEMPT_TIMEOUT_MS,
  ) {
    super();
    const { urls, reconnectDelayMs, reconnectDelayMaxMs } = config.uplink;
    this.attempts = new Attempts(urls, reconnectDelayMs, reconnectDelayMaxMs);
  }

  get connected(): boolean {
    return this.socket?.connected ?? false;
  }

  /** Whether messages may go up: logged in, and at a server that stays. */
  get ready(): boolean {
    return this.connected && this.loggedIn && this.returnAt === undefined;
  }

  start(): void {
    const url = this.attempts.nextUrl();
    const socket = this.sockets.get(url) ?? this.socketTo(url);
    this.sockets.set(url, socket);
    this.socket = socket;
    this.attempt += 1;
    this.connectedAt = undefined;
    // The library's own timeout ends with the transport's opening; a server may open it and never let us in.
    this.attemptTimer = setTimeout(() => this.failed(socket, new Error('timeout')), this.attemptTimeoutMs);
    socket.connect();
  }

  /** One for each server, so that a server can recover the state of its own (Socket.IO, connection state recovery). */
  private socketTo(url: string): Socket {
    const socket = io(new URL(this.config.uplink.namespace, url).href, {
      transports: [GuardedWebSocket], // no long polling, so no sticky sessions in front of the server
      autoConnect: false,
      forceNew: true,
      reconnection: false, // the library would stay at the one URL
      timeout: this.attemptTimeoutMs,
      auth: (give) => void this.freshToken(url).then((token) => give({ token, extensions: OUR_EXTENSIONS })),
    });
    guardPackets(socket, () => this.log.warn('the server sent something that cannot be handled; connecting anew'));
    socket.on('connect', () => this.opened(url));
    socket.on('connect_error', (error) => {
      if (isRefusal(error)) this.keys.refused(url);
      this.failed(socket, error);
    });
    socket.on('disconnect', (reason) => {
      // What a deployed server does to a bad token.
      if (reason === 'io server disconnect' && !this.loggedIn) this.keys.refused(url);
      this.closed(socket, reason);
    });
    socket.on(FULL_LIST, (data: unknown) => this.fullListArrived(data));
    socket.on(PARTIAL_LIST, (data: unknown) => this.listArrived(data, (agents) => this.emit('partialList', agents)));
    socket.on(MESSAGE_DOWN, (message: unknown, ack: unknown) => this.take(message, ack));
    socket.on(EXTENSIONS, () => this.log.debug('the server knows extensions', { event: 'extensions' }));
    socket.on(SERVER_LEAVING, (notice: unknown) => void this.leave(socket, notice));
    return socket;
  }

  /**
   * Takes no further message, gives those under way `graceMs` to be answered, and disconnects: an answer that is not
   * sent makes the server deliver the message again.
   */
  async stop(graceMs = 0): Promise<void> {
    this.stopped = true;
    clearTimeout(this.retryTimer);
    clearTimeout(this.attemptTimer);
    await this.answering.settled(graceMs);
    this.socket?.disconnect();
  }

  /**
   * Sends an envelope up and resolves with the server's ack. Throws RetryableError: UPLINK_DOWN when there is no
   * connection, UplinkLostError when it was lost before the ack, NO_ANSWER when none came within `timeoutMs`.
   */
  async send(envelope: Envelope, timeoutMs: number): Promise<ServerAck> {
    const socket = this.socket;
    if (!socket?.connected || this.returnAt !== undefined) {
      throw new RetryableError('UPLINK_DOWN', 'This agent is not connected to the DMR server');
    }
    const acked = socket.timeout(timeoutMs).emitWithAck(MESSAGE_UP, envelope) as Promise<ServerAck>;
    this.sending.add(acked);
    const flight = { alone: this.flights.size === 0 };
    this.noneIsAlone();
    this.flights.add(flight);
    try {
      return await acked;
    } catch (cause) {
      if (!socket.connected) throw new UplinkLostError(flight.alone, cause);
      const why = `The DMR server did not answer within ${Math.round(timeoutMs)} ms; send the message again with the same id`;
      throw new RetryableError('NO_ANSWER', why, { cause });
    } finally {
      this.flights.delete(flight);
    }
  }

  /** Of what is on its way up none would be to blame for the end of the connection. */
  private noneIsAlone(): void {
    for (const flight of this.flights) flight.alone = false;
  }

  /** An empty token, refused by the server, keeps the attempts going when signing fails. */
  private async freshToken(url: string): Promise<string> {
    try {
      return await makeToken(this.config.agentId, this.keys.next(url));
    } catch (error) {
      this.log.error(`no login token could be made: ${messageOf(error)}`);
      return '';
    }
  }

  private opened(url: string): void {
    clearTimeout(this.attemptTimer);
    this.connectedAt = performance.now();
    this.log.info('uplink connected', { event: 'uplink-connected', server: new URL(url).host });
    this.emit('connected');
  }

  private fullListArrived(data: unknown): void {
    this.listArrived(data, (agents) => this.emit('fullList', agents));
    this.loggedIn = true;
    this.complained = false;
    this.attempts.loggedIn();
    this.keys.accepted();
    this.emit('loggedIn');
  }

  private failed(socket: Socket, error: Error): void {
    if (!this.complained) this.log.warn(`the server cannot be reached or refuses the login: ${error.message}`);
    this.complained = true;
    this.emit('failed', error);
    this.again(socket);
  }

  private closed(socket: Socket, reason: string): void {
    if (this.connectedAt === undefined) return this.failed(socket, new Error(reason));
    if (!this.complained) this.log.warn('uplink disconnected', { event: 'uplink-disconnected', reason });
    this.complained = !this.loggedIn; // a deployed server lets a bad token in and drops it, again and again
    this.loggedIn = false;
    this.emit('disconnected', performance.now() - this.connectedAt);
    this.again(socket);
  }

  private again(socket: Socket): void {
    clearTimeout(this.attemptTimer);
    socket.disconnect(); // an attempt that was given up must not end in a second connection
    if (this.stopped) return;
    const wait = this.returnAt === undefined ? this.attempts.waitMs() : Math.max(0, this.returnAt - performance.now());
    this.returnAt = undefined;
    clearTimeout(this.retryTimer);
    this.retryTimer = setTimeout(() => this.start(), wait);
  }

  /** The server goes: nothing new is sent to it, what is under way ends, then the next one is asked. */
  private async leave(socket: Socket, notice: unknown): Promise<void> {
    if (this.returnAt !== undefined) return;
    const asked = (notice as { reconnectAfterMs?: unknown } | null | undefined)?.reconnectAfterMs;
    const wait = typeof asked === 'number' && asked >= 0 ? Math.min(asked, LEAVE_MAX_MS) : this.attempts.waitMs();
    this.returnAt = performance.now() + wait;
    this.noneIsAlone();
    this.log.info('the server leaves', { event: 'server-leaving', reconnectAfterMs: Math.round(wait) });
    this.emit('leaving');
    const { attempt } = this;
    await Promise.all([this.sending.settled(LEAVE_GRACE_MS), this.answering.settled(LEAVE_GRACE_MS)]);
    if (this.attempt === attempt) socket.disconnect(); // else the server did so first, and we are back
  }

  private listArrived(data: unknown, take: (agents: PartialRecord[]) => void): void {
    const agents = readList(data);
    if (agents) take(agents);
    else this.log.warn('the server sent something that is no agent list; the one from before stays');
  }

  private take(message: unknown, ack: unknown): void {
    if (!this.stopped) this.answering.add(this.answer(message, ack));
  }

  /**
   * The answer belongs to the connection that the message came over. On the next one its number may be that of another
   * message, and a server that has not let us in yet would end it; there the message comes again and is answered then.
   */
  private async answer(message: unknown, ack: unknown): Promise<void> {
    const { attempt } = this;
    const answer = await this.onMessage(message);
    if (typeof ack !== 'function' || this.attempt !== attempt || !this.connected) return;
    (ack as (answer: AgentAck) => void)(answer);
  }
}

/** The server's own word and not the transport's; it may have other reasons than the token, and says so with a code. */
function isRefusal(error: Error & { data?: { code?: unknown } }): boolean {
  return 'data' in error && (error.data?.code === undefined || error.data.code === 'TOKEN_REFUSED');
}
