import type { Namespace, Socket } from 'socket.io';
import type { AgentDiff } from '../agents/agent-record';
import type { ServerConfig } from '../config/types';
import { TokenError, verifyToken } from '../crypto/token';
import { DmrError, messageOf } from '../errors';
import type { Log } from '../log';
import { MESSAGE_UP, PARTIAL_LIST } from '../protocol/events';
import type { NodeRouter } from '../router/node-router';
import type { SessionInfo } from '../router/routes';
import { secondsSince, type Metrics } from '../telemetry/metrics';
import { AgentSession } from './agent-session';
import { AgentSessions } from './agent-sessions';
import { listenSpanMs, partialList, tokenOf } from './handshake';

/** A socket whose agent is known: `authorize` says which, and with which key it logged in. */
export interface AgentSocket extends Socket {
  data: { agentId: string; certificate: string | undefined };
}

const REPEAT_WARNING_MS = 60_000;
const MAX_REFUSALS = 1000;

/** What happens on the sockets of one node: login, messages up, lists and messages down. */
export class AgentGateway {
  private readonly sessions: AgentSessions;
  private readonly refusals = new Set<string>();

  constructor(
    private readonly config: ServerConfig,
    private readonly router: NodeRouter,
    dropElsewhere: (agentId: string) => Promise<void>,
    private readonly metrics: Metrics,
    private readonly log: Log,
  ) {
    this.sessions = new AgentSessions(router, config.socket.listGraceMs, dropElsewhere, log);
  }

  get size(): number {
    return this.sessions.size;
  }

  /** The agents connected to this node. */
  list(): SessionInfo[] {
    return this.sessions.list();
  }

  /** Drops the agent's socket here; resolves when its queue is no longer consumed here, true when there was one. */
  drop(agentId: string): Promise<boolean> {
    return this.sessions.drop(agentId);
  }

  /** Finds out which agent this is; what it throws is an error that may be shown to the agent. */
  async authorize(socket: AgentSocket): Promise<void> {
    try {
      const { directory } = this.router;
      if (!directory.ready) throw new TokenError('the agent list is not there yet, try again');
      const maxAgeMs = this.config.socket.tokenMaxAgeMs;
      const agentId = await verifyToken(tokenOf(socket), (id) => directory.keyOf(id), maxAgeMs);
      socket.data = { agentId, certificate: directory.get(agentId)?.authenticationCertificate };
    } catch (error) {
      const [code, text] = error instanceof DmrError ? [error.code, error.message] : ['INTERNAL', 'Login failed'];
      this.metrics.inc('dmr_socket_errors_total');
      this.logRefusal(socket, code, messageOf(error));
      throw Object.assign(new Error(text), { data: { code } });
    }
  }

  /** An agent with a wrong key tries for ever: the first refusal of its kind is a warning, those of the next minute not. */
  private logRefusal(socket: AgentSocket, code: string, why: string): void {
    const key = `${socket.handshake.address} ${why}`;
    const level = this.refusals.has(key) ? 'debug' : 'warn';
    if (this.refusals.size === 0) setTimeout(() => this.refusals.clear(), REPEAT_WARNING_MS).unref();
    if (this.refusals.size < MAX_REFUSALS) this.refusals.add(key);
    this.log[level]('login refused', { event: 'login-refused', code, why, address: socket.handshake.address });
  }

  /** Takes an authorized socket in. */
  connected(socket: AgentSocket): void {
    const { agentId, certificate } = socket.data;
    // The list may have changed since: whoever left it, or got another key, was not there to be dropped.
    const listed = this.router.directory.get(agentId)?.authenticationCertificate;
    if (listed === undefined || listed !== certificate) return void socket.disconnect(true);
    const onSend = (event: string) => this.countSent(event, 1);
    const session = new AgentSession(agentId, socket, listenSpanMs(this.config.delivery), onSend);
    socket.on('disconnect', () => this.disconnected(session));
    socket.on('error', () => this.metrics.inc('dmr_socket_errors_total'));
    this.metrics.inc('dmr_socket_connections_total');
    this.log.info('agent connected', { event: 'login', agentId });
    void this.sessions.login(session);
    this.metrics.set('dmr_socket_connections_active', this.sessions.size);
  }

  /** A message on its way up: its ack goes out after the broker's confirm. Never throws, a handler may not. */
  async messageUp(socket: AgentSocket, message: unknown, ack: unknown): Promise<void> {
    const started = performance.now();
    this.metrics.inc('dmr_socket_events_received_total', {
      event: MESSAGE_UP,
      namespace: this.config.socket.namespace,
    });
    try {
      const answer = await this.router.accept(socket.data.agentId, message);
      if (typeof ack === 'function') (ack as (answer: unknown) => void)(answer);
    } catch (error) {
      this.metrics.inc('dmr_socket_errors_total');
      this.log.error(`a message could not be answered: ${messageOf(error)}`);
    }
    this.metrics.observe('dmr_message_processing_duration_seconds', secondsSince(started), { event: MESSAGE_UP });
  }

  /** Agents that left or got another key lose their socket; everybody hears what changed. */
  agentsChanged(namespace: Namespace, diff: AgentDiff): void {
    for (const { id } of [...diff.removed, ...diff.rekeyed]) void this.sessions.drop(id);
    namespace.emit(PARTIAL_LIST, [partialList(diff)]);
    this.countSent(PARTIAL_LIST, this.sessions.size);
  }

  /** Drops every socket and resolves when what was in flight is handed back. */
  async close(namespace: Namespace): Promise<void> {
    namespace.disconnectSockets(true);
    await this.sessions.settled();
  }

  private disconnected(session: AgentSession): void {
    this.log.info('agent disconnected', { event: 'logout', agentId: session.agentId });
    void this.sessions.logout(session);
    this.metrics.inc('dmr_socket_disconnections_total');
    this.metrics.set('dmr_socket_connections_active', this.sessions.size);
    this.metrics.observe('dmr_socket_connection_duration_seconds', (Date.now() - session.since) / 1000);
  }

  private countSent(event: string, count: number): void {
    this.metrics.inc('dmr_socket_events_sent_total', { event, namespace: this.config.socket.namespace }, count);
  }
}
