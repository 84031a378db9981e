import { messageOf } from '../errors';
import type { Log } from '../log';
import type { NodeRouter } from './node-router';

/** What became of the queues of an agent that left. */
export interface Retired {
  /** Messages moved from its queue to its dead-letter queue. */
  moved: number;
  /** Both queues are deleted; false as long as a message lies in one. */
  gone: boolean;
}

/**
 * Takes the queues of agents that left CentOps out of use without losing what is in them: what waits goes to the
 * dead-letter queue at once; a queue is deleted only when it is empty and the agent has been gone for the grace, by
 * when no node publishes to it any more.
 */
export class Retirement {
  private readonly leftAt = new Map<string, number>();

  constructor(
    private readonly router: NodeRouter,
    private readonly graceMs: number,
    private readonly log: Log,
  ) {}

  /** The agent is in the list again. */
  cancel(agentId: string): void {
    this.leftAt.delete(agentId);
  }

  /** The agent is no longer in the list. */
  async begin(agentId: string): Promise<Retired> {
    if (!this.leftAt.has(agentId)) this.leftAt.set(agentId, Date.now());
    return this.step(agentId);
  }

  /** Goes on with every agent that left; to be called from time to time. */
  async goOn(): Promise<void> {
    for (const agentId of [...this.leftAt.keys()]) {
      try {
        await this.step(agentId);
      } catch (error) {
        this.log.warn(`retiring the queues of ${agentId} goes on later: ${messageOf(error)}`);
      }
    }
  }

  /** An agent may come back while the step of another one is awaited, before or after its return is told here. */
  private isRetiring(agentId: string): boolean {
    if (this.router.directory.get(agentId)) this.leftAt.delete(agentId);
    return this.leftAt.has(agentId);
  }

  private async step(agentId: string): Promise<Retired> {
    if (!this.isRetiring(agentId)) return { moved: 0, gone: false };
    const moved = await this.router.moveToDlq(agentId);
    if (moved > 0) this.log.warn(`${moved} messages of agent ${agentId}, which left, lie in its dead-letter queue`);
    if (!this.isRetiring(agentId)) return { moved, gone: false };
    const due = Date.now() - (this.leftAt.get(agentId) ?? Infinity) >= this.graceMs;
    const gone = due && (await this.router.deleteQueues(agentId));
    if (gone) {
      this.leftAt.delete(agentId);
      this.log.info(`the queues of agent ${agentId} are deleted`);
    }
    return { moved, gone };
  }
}
