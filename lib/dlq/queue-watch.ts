import { seemsEmpty, type QueueLook } from '../amqp/admin';
import { dlqName, VALIDATION_FAILURES } from '../amqp/topology';
import type { QueueTtlConfig } from '../config/types';
import { DmrError, messageOf } from '../errors';
import type { Log } from '../log';
import { mapParallel } from '../parallel';
import type { NodeRouter } from '../router/node-router';
import type { Placed } from '../router/routes';
import { Seldom } from '../seldom';
import { HeadTimes } from './head-times';
import { timeOfLetter, waitingSinceOf } from './letter';

/** One queue of the mesh. */
export interface QueueRow {
  queue: string;
  kind: 'agent' | 'dlq' | 'failures';
  /** Null for validation-failures. */
  agentId: string | null;
  /** Ready messages. */
  messages: number;
  consumers: number;
  /** Node that consumes it. */
  node: string | null;
  /** Messages that its agent has and has not answered. */
  inFlight: number | null;
  /** How long the oldest message has waited, s; 0 when there is none, null while that is not known. */
  oldestSeconds: number | null;
  /** It exists with other arguments than ours. */
  asIs: boolean;
}

/** Queues counted at the same time, each on a channel of its own. */
const PARALLEL = 32;
/** Heads looked at in one round; the others have their turn in the next. */
const LOOKS_PER_ROUND = 50;
const REPEAT_WARNING_MS = 600_000;
/** Each question for a queue that is gone is an error in RabbitMQ's log. */
const ASK_AGAIN_MS = 3_600_000;

/** Null: there is no such queue. */
type Absent = null | 'silent';

/** Counts all queues of the agents, and knows since when the oldest message of each has been waiting. */
export class QueueWatch {
  private readonly heads = new HeadTimes();
  /** Agents whose queues are counted; one that left stays until they are gone. */
  private readonly seen = new Set<string>();
  /** When the queues of those who left were found gone, ms since the epoch. */
  private goneAt = new Map<string, number>();
  private readonly warnings = new Seldom(REPEAT_WARNING_MS);
  private silent = new Set<string>();
  /** Queues that held something when they answered last. */
  private readonly filled = new Set<string>();

  constructor(
    private readonly router: NodeRouter,
    private readonly ttl: QueueTtlConfig,
    private readonly log: Log,
  ) {}

  /** Queues that did not answer at the last count: what was known of them is all that is known. */
  get unanswered(): ReadonlySet<string> {
    return this.silent;
  }

  /**
   * All queues that exist and answer; those of a listed agent also where they are missing, as empty.
   * Throws RetryableError BROKER_UNAVAILABLE.
   */
  async count(): Promise<QueueRow[]> {
    this.silent = new Set();
    for (const { id } of [...this.router.directory.list(), ...this.departed()]) this.seen.add(id);
    const rows = await mapParallel([...this.seen], PARALLEL, (agentId) => this.countOf(agentId));
    return [...rows.flat(), await this.row(VALIDATION_FAILURES, 'failures', null, true)].filter(isRow);
  }

  /**
   * Adds who consumes what and how old it is. To be done by one node of the mesh: it may look at the head of a queue, at
   * that of an agent's only while the agent is nowhere. Not exact is the age of what came into an agent's empty queue,
   * too high by one interval at the most, and of what follows a message that was taken out between two rounds.
   */
  async complete(rows: QueueRow[], placed: ReadonlyMap<string, Placed>): Promise<void> {
    const unknown: QueueRow[] = [];
    for (const row of rows) {
      const session = row.kind === 'agent' ? placed.get(row.agentId ?? '') : undefined;
      Object.assign(row, { node: session?.node ?? null, inFlight: session?.inFlight ?? null });
      if (session ?? row.consumers > 0) this.heads.consumed(row.queue);
      else if (this.heads.counted(row.queue, row.messages, this.ttlOf(row), row.kind !== 'agent')) unknown.push(row);
    }
    await mapParallel(unknown.slice(0, LOOKS_PER_ROUND), PARALLEL, (row) => this.look(row));
    for (const row of rows) row.oldestSeconds = this.ageOf(row, placed.get(row.agentId ?? ''));
  }

  /** Those who left, without the many whose queues were found gone of late. */
  private departed(): { id: string }[] {
    const { departed } = this.router;
    const known = departed.flatMap(({ id }): [string, number][] => [[id, this.goneAt.get(id) ?? 0]]);
    this.goneAt = new Map(known.filter(([, at]) => Date.now() - at < ASK_AGAIN_MS));
    return departed.filter(({ id }) => !this.goneAt.has(id));
  }

  private async countOf(agentId: string): Promise<(QueueRow | Absent)[]> {
    const isListed = this.router.directory.get(agentId) !== undefined;
    const rows = await Promise.all([
      this.row(agentId, 'agent', agentId, isListed),
      this.row(dlqName(agentId), 'dlq', agentId, isListed),
    ]);
    if (rows.some((row) => row !== null)) return rows;
    this.seen.delete(agentId);
    this.goneAt.set(agentId, Date.now());
    this.heads.forget(agentId);
    this.heads.forget(dlqName(agentId));
    return [];
  }

  private async row(
    queue: string,
    kind: QueueRow['kind'],
    agentId: string | null,
    always: boolean,
  ): Promise<QueueRow | Absent> {
    const look = await this.askFor(queue);
    if (look === 'silent') return look;
    if (!look && !always) return null;
    const { ready, consumers } = look ?? { ready: 0, consumers: 0 };
    const unknown = { node: null, inFlight: null, oldestSeconds: null };
    return { queue, kind, agentId, messages: ready, consumers, ...unknown, asIs: this.router.isAsIs(queue) };
  }

  /** One queue whose leader is frozen must not hide all the others. */
  private async askFor(queue: string): Promise<QueueLook | undefined | 'silent'> {
    try {
      const look = await this.router.look(queue);
      await this.believe(queue, look);
      return look;
    } catch (error) {
      if (error instanceof DmrError && error.code === 'BROKER_UNAVAILABLE') throw error;
      this.silent.add(queue);
      if (this.warnings.mayTell(queue) !== undefined)
        this.log.warn(`queue ${queue} could not be counted: ${messageOf(error)}`);
      return 'silent';
    }
  }

  /** A queue that was not empty before has to say itself that it is. Throws where it does not. */
  private async believe(queue: string, look: QueueLook | undefined): Promise<void> {
    if (look && seemsEmpty(look) && this.filled.has(queue)) await this.router.confirmEmpty(queue);
    if (look && look.ready > 0) this.filled.add(queue);
    else if (!look || seemsEmpty(look)) this.filled.delete(queue);
  }

  private ageOf(row: QueueRow, session: Placed | undefined): number | null {
    if (row.kind !== 'agent' || !(session ?? row.consumers > 0)) return this.heads.ageOf(row.queue) ?? null;
    // Its agent is there: what it has was taken before what waits.
    if (session?.oldestAt !== undefined) return Math.max(0, Date.now() - session.oldestAt) / 1000;
    return row.messages === 0 ? 0 : null;
  }

  private async look({ queue, kind }: QueueRow): Promise<void> {
    try {
      const head = await this.router.deadLetters.head(queue);
      const since = head && (kind === 'agent' ? waitingSinceOf(head) : timeOfLetter(head));
      this.heads.looked(queue, head && { returned: head.fields.redelivered, since });
    } catch {
      // Somebody goes through it, or it is gone: the next round looks again.
    }
  }

  private ttlOf({ kind }: QueueRow): number {
    if (kind === 'agent') return this.ttl.agentTtlMs;
    return kind === 'dlq' ? this.ttl.dlqTtlMs : this.ttl.validationFailuresTtlMs;
  }
}

function isRow(row: QueueRow | Absent): row is QueueRow {
  return row !== null && row !== 'silent';
}
