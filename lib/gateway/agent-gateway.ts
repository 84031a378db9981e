import type { Namespace, Socket } from 'socket.io';
import type { AgentDiff } from '../agents/agent-record';
import { within } from '../amqp/within';
import type { ServerConfig } from '../config/types';
import { FinalError, messageOf } from '../errors';
import type { Log } from '../log';
import { MESSAGE_UP, PARTIAL_LIST, type ServerAck } from '../protocol/events';
import type { NodeRouter } from '../router/node-router';
import type { SessionInfo } from '../router/routes';
import { Seldom } from '../seldom';
import { secondsSince, type Labels, type Metrics } from '../telemetry/metrics';
import { Turns } from '../turns';
import { AgentSession } from './agent-session';
import { AgentSessions } from './agent-sessions';
import { Door } from './door';
import { farewell, waitUntil } from './farewell';
import { watchGateway } from './gateway-metrics';
import { listenSpanMs, partialList } from './handshake';
import { Inflow, type Overflow } from './inflow';
import { Intake } from './intake';
import { Outflow } from './outflow';
import type { Login, Outcome } from './rivals';

/** A socket whose agent is known: `authorize` says which, and with which key it logged in. */
export interface AgentSocket extends Socket {
  data: { agentId: string; certificate: string | undefined };
}

const ANSWERED = { event: MESSAGE_UP };

/** How a drain ended. */
export interface Drained {
  /** Agents that were sent away. */
  agents: number;
  /** Those that are still there. */
  stayed: number;
}

const DRAIN = 'drain';
const REPEAT_WARNING_MS = 60_000;
/** For the sockets and consumers that are closed at the deadline, ms. */
const CLOSING_MS = 2000;

/** What happens on the sockets of one node: login, messages up, lists and messages down. */
export class AgentGateway {
  readonly sessions: AgentSessions;
  private readonly door: Door;
  private readonly sessionOf = new WeakMap<Socket, AgentSession>();
  private readonly overflows = new Seldom(REPEAT_WARNING_MS);
  private readonly intake: Intake;
  private left: Promise<void> | undefined;
  /** Drains and their undoing: each finds the node as the one before has left it. */
  private readonly drains = new Turns();
  private readonly unwatch: () => void;
  private readonly received: Labels;
  /** Labels of each event that goes down. */
  private readonly sent = new Map<string, Labels>();
  private stopping = false;

  constructor(
    private readonly config: ServerConfig,
    private readonly router: NodeRouter,
    nodeID: string,
    takeOver: (login: Login) => Promise<Outcome>,
    private readonly metrics: Metrics,
    private readonly log: Log,
  ) {
    this.sessions = new AgentSessions(
      router,
      nodeID,
      config.socket.namespace,
      config.socket.listGraceMs,
      takeOver,
      log,
    );
    this.intake = new Intake(config.limits.nodeInFlight);
    this.door = new Door(config, router, metrics, log);
    this.received = { event: MESSAGE_UP, namespace: config.socket.namespace };
    const state = () => ({ accepting: this.intake.inFlight, isLeaving: this.isLeaving });
    this.unwatch = watchGateway(this.sessions, router.consumers, state, metrics);
  }

  get size(): number {
    return this.sessions.size;
  }

  /** Whether this node was asked to stop, or to send its agents away, and lets nobody in. */
  get isLeaving(): boolean {
    return this.door.closed;
  }

  /** The agents connected to this node. */
  list(): SessionInfo[] {
    return this.sessions.list();
  }

  /** Finds out which agent this is; what it throws is an error that may be shown to the agent. */
  authorize(socket: AgentSocket): Promise<void> {
    return this.door.authorize(socket);
  }

  /** Takes an authorized socket in. */
  connected(socket: AgentSocket): void {
    const { agentId, certificate } = socket.data;
    // The list may have changed since: whoever left it, or got another key, was not there to be dropped.
    const listed = this.router.directory.get(agentId)?.authenticationCertificate;
    if (listed === undefined || listed !== certificate) return void socket.disconnect(true);
    if (this.isLeaving) return void socket.conn.close(); // its token was checked before the door closed
    const onSend = (event: string) => this.countSent(event, 1);
    const onPause = () => this.metrics.inc('dmr_agents_slowed_total');
    const inflow = new Inflow(socket, this.config.limits, this.intake, onPause);
    // As much as the agent may hold unanswered; a copy beyond that would only wait behind the one before.
    const outflow = new Outflow(socket, this.config.delivery.prefetch * this.config.limits.messageBytes);
    const session = new AgentSession(agentId, socket, listenSpanMs(this.config.delivery), onSend, inflow, outflow);
    this.sessionOf.set(socket, session);
    socket.on('disconnect', () => this.disconnected(session));
    socket.on('error', () => this.metrics.inc('dmr_socket_errors_total'));
    this.metrics.inc('dmr_socket_connections_total');
    this.log.info('agent connected', { event: 'login', agentId });
    void this.sessions.login(session);
  }

  /** A message on its way up: its ack goes out after the broker's confirm. Never throws, a handler may not. */
  async messageUp(socket: AgentSocket, message: unknown, ack: unknown): Promise<void> {
    const started = performance.now();
    this.metrics.inc('dmr_socket_events_received_total', this.received);
    const session = this.sessionOf.get(socket);
    if (!session) return; // its socket was turned away as it connected
    try {
      const { agentId, inflow } = session;
      const overflow = inflow.enter();
      let answer: ServerAck;
      if (overflow) answer = this.refuse(agentId, overflow);
      else {
        try {
          answer = await this.router.accept(agentId, message);
        } finally {
          inflow.leave();
        }
      }
      if (typeof ack === 'function') (ack as (answer: ServerAck) => void)(asKnownTo(session, answer));
    } catch (error) {
      this.metrics.inc('dmr_socket_errors_total');
      this.log.error(`a message could not be answered: ${messageOf(error)}`);
    }
    this.metrics.observe('dmr_message_processing_duration_seconds', secondsSince(started), ANSWERED);
  }

  /** Agents that left or got another key lose their socket; everybody hears what changed. */
  agentsChanged(namespace: Namespace, diff: AgentDiff): void {
    for (const { id } of [...diff.removed, ...diff.rekeyed]) void this.sessions.drop(id);
    namespace.emit(PARTIAL_LIST, [partialList(diff)]);
    this.countSent(PARTIAL_LIST, this.sessions.size);
  }

  /**
   * Lets nobody in any more and sends everybody away without breaking off what is under way; resolves when the last
   * message up is answered and the last socket closed, or past DRAIN_TIMEOUT_MS. The first call does it, each waits.
   */
  leave(): Promise<void> {
    this.stopping = true;
    return this.sendAway();
  }

  /**
   * The same for a node that goes on running, when an operator asks for it. `othersOpen` says whether any other gateway
   * lets agents in; it is asked while this one does so no more, so that two that are drained at the same time do not both
   * rely on each other. A second drain begins when the first is through. Throws FinalError LAST_GATEWAY.
   */
  drain(othersOpen: () => Promise<boolean>): Promise<Drained> {
    return this.drains.run(DRAIN, () => this.drainInTurn(othersOpen));
  }

  /** Lets agents in again after `drain`. Throws FinalError NODE_STOPPING on a node that was asked to stop. */
  comeBack(): Promise<void> {
    return this.drains.run(DRAIN, async () => {
      await this.left; // the node's own leaving, if it is stopping
      if (this.stopping) throw new FinalError('NODE_STOPPING', 'This node is stopping; start it again');
      this.left = undefined;
      this.door.closed = false;
      this.log.info('agents are let in again', { event: 'drain-undone' });
    });
  }

  private async drainInTurn(othersOpen: () => Promise<boolean>): Promise<Drained> {
    this.door.closed = true;
    if (!this.left && !(await othersOpen())) {
      this.door.closed = this.stopping;
      throw new FinalError(
        'LAST_GATEWAY',
        'No other gateway of the mesh takes agents: they would have nowhere to go; drain it with force all the same',
      );
    }
    const agents = this.size;
    await this.sendAway();
    if (this.size > 0) this.left = undefined; // the next drain tries again
    return { agents, stayed: this.size };
  }

  private sendAway(): Promise<void> {
    this.door.closed = true;
    this.left ??= this.farewell(this.config.socket.drainTimeoutMs).catch((error: unknown) => {
      this.log.warn(`not everything was finished in time, it goes back to its queues: ${messageOf(error)}`);
    });
    return this.left;
  }

  /** Drops every socket and resolves when what was in flight is handed back. */
  async close(namespace: Namespace): Promise<void> {
    namespace.disconnectSockets(true);
    await this.sessions.settled();
    this.unwatch();
  }

  private async farewell(timeoutMs: number): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    const sessions = this.sessions.all();
    this.log.info('leaving: agents are sent away', { event: 'leaving', sessions: sessions.length });
    const { consumers } = this.router;
    const quiesce = (agentId: string) => consumers.quiesce(agentId);
    const isBusy = ({ agentId, inflow }: AgentSession) => inflow.inFlight + (consumers.inFlight(agentId) ?? 0) > 0;
    const finished = farewell({ sessions, quiesce, isBusy, timeoutMs })
      // An ack that finds its socket closed is lost; whether its message is stored is settled all the same.
      .then(() => waitUntil(() => this.intake.inFlight === 0, deadline))
      .then(() => this.sessions.settled());
    await within(finished, timeoutMs + CLOSING_MS, 'the node leaves');
  }

  private refuse(agentId: string, { reason, text }: Overflow): ServerAck {
    this.metrics.inc('dmr_messages_refused_total', { reason });
    const heldBack = this.overflows.mayTell(`${agentId} ${reason}`);
    if (heldBack !== undefined) this.log.warn('too many messages', { event: 'overflow', agentId, reason, heldBack });
    return { status: 'error', error: text, retryable: true };
  }

  private disconnected(session: AgentSession): void {
    session.outflow.end();
    this.log.info('agent disconnected', { event: 'logout', agentId: session.agentId });
    void this.sessions.logout(session);
    this.metrics.inc('dmr_socket_disconnections_total');
    this.metrics.observe('dmr_socket_connection_duration_seconds', (Date.now() - session.since) / 1000);
  }

  private countSent(event: string, count: number): void {
    let labels = this.sent.get(event);
    if (!labels) this.sent.set(event, (labels = { event, namespace: this.config.socket.namespace }));
    this.metrics.inc('dmr_socket_events_sent_total', labels, count);
  }
}

/** A deployed agent gets the answer it knows, to the letter. */
function asKnownTo(session: AgentSession, answer: ServerAck): ServerAck {
  if (answer.status === 'ok') return answer;
  const { status, error, retryable = false } = answer;
  return session.knows('retryable') ? { status, error, retryable } : { status, error };
}
