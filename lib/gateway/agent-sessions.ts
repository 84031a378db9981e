import { messageOf } from '../errors';
import type { Log } from '../log';
import type { NodeRouter } from '../router/node-router';
import type { SessionInfo } from '../router/routes';
import { FULL_LIST } from '../protocol/events';
import { Turns } from '../turns';
import type { AgentSession } from './agent-session';
import { EncodedEvent } from './encoded-event';
import { isNewer, nameOf, type Login, type Outcome, type Yielded } from './rivals';

interface Seat {
  session: AgentSession;
  login: Login;
  /** Every other node has given way to it: whoever logs in from now on comes later. */
  settled: boolean;
  /** Logins that gave way to it; what they asked for may arrive after their end. */
  beaten: Set<string>;
}

/**
 * The agents connected to this node, at most one session each: a later login takes over. Login and logout of one agent
 * run one after the other, so that its queue is consumed by its live session or by none.
 */
export class AgentSessions {
  private readonly seats = new Map<string, Seat>();
  private readonly turns = new Turns();
  private encoded: { revision: number; event: EncodedEvent } | undefined;

  constructor(
    private readonly router: NodeRouter,
    private readonly nodeID: string,
    private readonly namespace: string,
    private readonly listGraceMs: number,
    /** Asks the other nodes to give way to this login. */
    private readonly takeOver: (login: Login) => Promise<Outcome>,
    private readonly log: Log,
  ) {}

  get size(): number {
    return this.seats.size;
  }

  list(): SessionInfo[] {
    return this.all().map(({ agentId, since }) => ({
      agentId,
      name: this.router.directory.get(agentId)?.name ?? '',
      since: new Date(since).toISOString(),
      inFlight: this.router.consumers.inFlight(agentId),
      oldestAt: this.router.inFlight.oldestOf(agentId),
    }));
  }

  all(): AgentSession[] {
    return [...this.seats.values()].map(({ session }) => session);
  }

  /** The logins of this node that no other node was asked about any more, for a comparison with others. */
  logins(): Login[] {
    return [...this.seats.values()].filter(({ settled }) => settled).map(({ login }) => login);
  }

  /** Makes this session the agent's only one, then lets its messages come. */
  login(session: AgentSession): Promise<void> {
    const { agentId, since } = session;
    const seat: Seat = { session, login: { agentId, since, nodeID: this.nodeID }, settled: false, beaten: new Set() };
    const earlier = this.seats.get(agentId);
    if (earlier) this.log.info('a newer login of the agent takes over', { event: 'takeover', agentId });
    earlier?.session.drop();
    this.seats.set(agentId, seat);
    return this.inTurn(session, async () => {
      // Gone while it waited: who logs in over and over must not hold up the last login, or the end of this node.
      if (!session.isOpen) return;
      await this.router.consumers.detach(agentId);
      if (!session.isOpen || !(await this.wins(seat))) return;
      await session.sendFullList(this.fullList(), this.listGraceMs);
      if (session.isOpen && !session.leaving) await this.router.consumers.attach(agentId, session.send);
    });
  }

  /** Gives back what is in flight to an agent whose socket is gone, unless a later session took over. */
  logout(session: AgentSession): Promise<void> {
    const { agentId } = session;
    if (this.seats.get(agentId)?.session !== session) return Promise.resolve();
    this.seats.delete(agentId);
    return this.inTurn(session, async () => {
      await this.router.consumers.detach(agentId);
    });
  }

  /** Drops the agent's session; resolves when its queue is no longer consumed here, true when there was one. */
  async drop(agentId: string): Promise<boolean> {
    const session = this.seats.get(agentId)?.session;
    session?.drop();
    // Not in turn: a login in its turn may be waiting for the very node that asks. A session that is not open attaches
    // no consumer any more.
    await this.router.consumers.detach(agentId);
    return session !== undefined;
  }

  /** Gives way to a login on another node, or says at once that the one here goes before it. */
  async yieldTo(rival: Login): Promise<Yielded> {
    const seat = this.seats.get(rival.agentId);
    if (seat && this.goesBefore(seat, rival)) return { newer: true };
    if (seat) {
      const { agentId, nodeID: by } = rival;
      this.log.info('a newer login of the agent takes over', { event: 'takeover', agentId, by });
    }
    await this.drop(rival.agentId);
    return seat ? { newer: false, gone: nameOf(seat.login) } : { newer: false };
  }

  /**
   * Compares with the logins of a node that was out of reach: drops what is older here and returns the agents whose
   * login here goes before. A login that is still asking around finds out by itself.
   */
  compare(rivals: Login[]): string[] {
    const shared = rivals.filter(({ agentId }) => this.seats.get(agentId)?.settled);
    const [newer, older]: [string[], string[]] = [[], []];
    for (const rival of shared) {
      const seat = this.seats.get(rival.agentId);
      if (seat) (isNewer(seat.login, rival) ? newer : older).push(rival.agentId);
    }
    for (const agentId of older) void this.drop(agentId);
    return newer;
  }

  /** Drops those of these logins that are still the agents' sessions here. */
  giveUp(logins: Login[]): void {
    for (const login of logins) if (this.seats.get(login.agentId)?.login === login) void this.drop(login.agentId);
  }

  /** Resolves when every login and logout that has begun is through. */
  settled(): Promise<void> {
    return this.turns.settled();
  }

  /** Two logins that do not know of each other yet are told apart by their order, any other comes after the one here. */
  private goesBefore({ session, login, settled, beaten }: Seat, rival: Login): boolean {
    if (!session.isOpen) return false;
    return beaten.has(nameOf(rival)) || (!settled && isNewer(login, rival));
  }

  /** Encoded once for as long as it does not change. */
  private fullList(): EncodedEvent {
    const { directory } = this.router;
    if (this.encoded?.revision !== directory.revision) {
      // An array in an array: deployed agents read it so.
      const event = new EncodedEvent(this.namespace, FULL_LIST, [directory.list()]);
      this.encoded = { revision: directory.revision, event };
    }
    return this.encoded.event;
  }

  private async wins(seat: Seat): Promise<boolean> {
    const { newer, gone } = await this.takeOver(seat.login);
    seat.settled = true;
    for (const name of gone) seat.beaten.add(name);
    if (newer) seat.session.drop();
    return !newer;
  }

  private async inTurn(session: AgentSession, work: () => Promise<void>): Promise<void> {
    try {
      await this.turns.run(session.agentId, work);
    } catch (error) {
      this.log.error(`login or logout of agent ${session.agentId} failed: ${messageOf(error)}`);
      session.drop(); // it logs in again; half a session would be deaf
    }
  }
}
