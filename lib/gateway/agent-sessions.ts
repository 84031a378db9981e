import { messageOf } from '../errors';
import type { Log } from '../log';
import type { NodeRouter } from '../router/node-router';
import type { SessionInfo } from '../router/routes';
import { Turns } from '../turns';
import type { AgentSession } from './agent-session';

/**
 * The agents connected to this node, at most one session each: a later login takes over. Login and logout of one agent
 * run one after the other, so that its queue is consumed by its live session or by none.
 */
export class AgentSessions {
  private readonly sessions = new Map<string, AgentSession>();
  private readonly turns = new Turns();

  constructor(
    private readonly router: NodeRouter,
    private readonly listGraceMs: number,
    /** Drops sessions of this agent on other nodes. */
    private readonly dropElsewhere: (agentId: string) => Promise<void>,
    private readonly log: Log,
  ) {}

  get size(): number {
    return this.sessions.size;
  }

  list(): SessionInfo[] {
    return [...this.sessions.values()].map(({ agentId, since }) => ({
      agentId,
      name: this.router.directory.get(agentId)?.name ?? '',
      since: new Date(since).toISOString(),
      inFlight: this.router.consumers.inFlight(agentId),
    }));
  }

  /** Makes this session the agent's only one, then lets its messages come. */
  login(session: AgentSession): Promise<void> {
    const { agentId } = session;
    this.sessions.get(agentId)?.drop();
    this.sessions.set(agentId, session);
    return this.inTurn(session, async () => {
      // Gone while it waited: who logs in over and over must not hold up the last login, or the end of this node.
      if (!session.isOpen) return;
      await this.router.consumers.detach(agentId);
      await this.dropElsewhere(agentId);
      await session.sendFullList(this.router.directory.list(), this.listGraceMs);
      if (session.isOpen) await this.router.consumers.attach(agentId, session.send);
    });
  }

  /** Gives back what is in flight to an agent whose socket is gone, unless a later session took over. */
  logout(session: AgentSession): Promise<void> {
    const { agentId } = session;
    if (this.sessions.get(agentId) !== session) return Promise.resolve();
    this.sessions.delete(agentId);
    return this.inTurn(session, async () => {
      await this.router.consumers.detach(agentId);
    });
  }

  /** Drops the agent's session; resolves when its queue is no longer consumed here, true when there was one. */
  async drop(agentId: string): Promise<boolean> {
    const session = this.sessions.get(agentId);
    session?.drop();
    await this.turns.until(agentId);
    return session !== undefined;
  }

  /** Resolves when every login and logout that has begun is through. */
  settled(): Promise<void> {
    return this.turns.settled();
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
