import { messageOf } from '../errors';
import type { Log } from '../log';
import type { NodeRouter } from './node-router';

/** What became of the queues of an agent that left. */
export interface Retired {
  /** Messages moved from its queue to its dead-letter queue. */
  moved: number;
  /** Both queues are deleted; false as long as a message lies in one, or may still come. */
  gone: boolean;
}

interface Progress {
  /** Which departure this is about: an agent may leave again. */
  leftAt: number;
  /** When this process heard of it; counts where a fast clock puts `leftAt` into the future. */
  heardAt: number;
  /** When its queue was emptied first; undefined before. */
  movedAt?: number;
  gone: boolean;
}

const NOTHING: Retired = { moved: 0, gone: false };
/**
 * A message that expired while the dead-letter queue was missing is in neither count; RabbitMQ tries again to move it
 * three minutes after the queue is there ("Quorum Queues: Dead Lettering", dead_letter_worker_publisher_confirm_timeout).
 */
const SETTLE_MS = 300_000;

/**
 * Takes the queues of agents that left CentOps out of use without losing what is in them. During the grace the queue
 * stays as it is, for an agent that comes back; then what waits goes to the dead-letter queue, and each queue is deleted
 * once it is empty. By then no node has listed the agent for the whole grace, so that nobody publishes to it.
 * Every step can be done twice, by two nodes at the same time, or again after a crash.
 */
export class Retirement {
  private readonly progress = new Map<string, Progress>();

  constructor(
    private readonly router: NodeRouter,
    private readonly graceMs: number,
    private readonly log: Log,
  ) {}

  /** Agents whose grace is over and whose queues are still there, as far as this process knows. */
  due(): string[] {
    return this.router.departed.map(({ id }) => id).filter((id) => this.isDue(id));
  }

  /** Goes on with every agent whose grace is over; to be called from time to time. */
  async goOn(): Promise<void> {
    for (const agentId of this.due()) {
      try {
        await this.finish(agentId);
      } catch (error) {
        this.log.warn(`retiring the queues of ${agentId} goes on later: ${messageOf(error)}`);
      }
    }
  }

  /** Goes on with one agent, if its grace is over. */
  async step(agentId: string): Promise<Retired> {
    return this.isDue(agentId) ? this.finish(agentId) : { moved: 0, gone: this.progressOf(agentId)?.gone ?? false };
  }

  /** Does not wait for the grace: what waits is moved, and each queue deleted as soon as that is safe. */
  async finish(agentId: string): Promise<Retired> {
    const progress = this.progressOf(agentId);
    if (!progress) return NOTHING;
    const moved = await this.router.moveToDlq(agentId);
    if (moved > 0) this.log.warn(`${moved} messages of agent ${agentId}, which left, lie in its dead-letter queue`);
    progress.movedAt ??= Date.now();
    const settled = Date.now() - progress.movedAt >= Math.min(this.graceMs, SETTLE_MS);
    // It may have come back while that was awaited.
    if (!settled || this.progressOf(agentId) !== progress) return { moved, gone: false };
    progress.gone = await this.router.deleteQueues(agentId);
    if (progress.gone) this.log.info(`the queues of agent ${agentId} are deleted`);
    return { moved, gone: progress.gone };
  }

  private isDue(agentId: string): boolean {
    const progress = this.progressOf(agentId);
    if (!progress || progress.gone) return false;
    return Date.now() - Math.min(progress.leftAt, progress.heardAt) >= this.graceMs;
  }

  /** Undefined for an agent that is listed, or of which nobody knows that it left. */
  private progressOf(agentId: string): Progress | undefined {
    const departed = this.router.departed.find(({ id }) => id === agentId);
    const known = this.progress.get(agentId);
    if (!departed) {
      this.progress.delete(agentId);
      return undefined;
    }
    if (known?.leftAt === departed.leftAt) return known;
    const progress: Progress = { leftAt: departed.leftAt, heardAt: Date.now(), gone: false };
    this.progress.set(agentId, progress);
    return progress;
  }
}
