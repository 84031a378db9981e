import { dlqName, VALIDATION_FAILURES } from '../amqp/topology';
import { FinalError } from '../errors';
import type { Log } from '../log';
import type { NodeRouter } from '../router/node-router';
import type { Metrics } from '../telemetry/metrics';
import type { Options, Purged, Replayed } from './dead-letters';
import { reasonOf } from './headers';
import { describeFailure, describeLetter, type DeadLetter, type FailureRecord } from './letter';
import type { QueueRow } from './queue-watch';
import { selectionOf, type SelectionParams } from './selection';

export type RemovalParams = { agentId: string } & SelectionParams & Options;

/** A queue of dead letters or refused messages. */
export interface DlqSummary {
  queue: string;
  agentId: string | null;
  messages: number;
  oldestSeconds: number | null;
  /** How many of the first messages have which reason; null unless asked for. */
  reasons: Record<string, number> | null;
}

/** For the reasons of one queue; each is a delivery of so many messages. */
const REASONS_OF = 200;

/** What an operator may ask for by the name of an agent, or of validation-failures. */
export class DlqOperations {
  constructor(
    private readonly router: NodeRouter,
    private readonly metrics: Metrics,
    private readonly log: Log,
  ) {}

  async list(rows: QueueRow[], withReasons: boolean): Promise<DlqSummary[]> {
    const summaries: DlqSummary[] = [];
    for (const { queue, kind, agentId, messages, oldestSeconds } of rows) {
      if (kind === 'agent') continue;
      const reasons = withReasons ? await this.reasons(queue, messages) : null;
      summaries.push({ queue, agentId, messages, oldestSeconds, reasons });
    }
    return summaries;
  }

  async peek(agentId: string, limit: number): Promise<(DeadLetter | FailureRecord)[]> {
    const queue = await this.queueOf(agentId);
    const describe = queue === VALIDATION_FAILURES ? describeFailure : describeLetter;
    return this.router.deadLetters.peek<DeadLetter | FailureRecord>(queue, limit, describe);
  }

  async replay({ agentId, ...params }: RemovalParams, by: string): Promise<Replayed> {
    if (agentId === VALIDATION_FAILURES) {
      const why = 'What was refused once is refused again; its sender must send a right one';
      throw new FinalError('NOT_REPLAYABLE', why);
    }
    if (!this.router.directory.get(agentId)) {
      throw new FinalError(
        'AGENT_UNKNOWN',
        `Agent ${agentId} is not listed by CentOps: nobody would take its messages`,
      );
    }
    const selection = selectionOf(params);
    const note = (id: string) => this.router.trail.note(id, { event: 'replayed' }, { recipientId: agentId });
    const done = await this.router.deadLetters.replay(agentId, selection, { ...params, note });
    if (done.replayed > 0) this.metrics.inc('dmr_dlq_replayed_total', { agent: agentId }, done.replayed);
    this.log.info('dead letters replayed', { event: 'dlq-replayed', agentId, by, selection: selection.by, ...done });
    return done;
  }

  async purge({ agentId, ...params }: RemovalParams, by: string): Promise<Purged> {
    const queue = await this.queueOf(agentId);
    const selection = selectionOf(params, queue === VALIDATION_FAILURES);
    const note = (id: string) => this.router.trail.note(id, { event: 'purged' });
    const done = await this.router.deadLetters.purge(queue, selection, { ...params, note });
    // A label for listed agents alone: of one that left, the log has the number.
    const isListed = this.router.directory.get(agentId) !== undefined;
    if (done.purged > 0 && isListed) this.metrics.inc('dmr_dlq_purged_total', { agent: agentId }, done.purged);
    this.log.warn('messages purged', { event: 'dlq-purged', agentId, by, selection: selection.by, ...done });
    return done;
  }

  /** Also of an agent that left, as long as its queue is there. */
  private async queueOf(agentId: string): Promise<string> {
    if (agentId === VALIDATION_FAILURES) return agentId;
    const queue = dlqName(agentId);
    if (this.router.directory.get(agentId) || (await this.router.look(queue))) return queue;
    throw new FinalError('AGENT_UNKNOWN', `Agent ${agentId} is not listed by CentOps and has no queue ${queue}`);
  }

  private async reasons(queue: string, messages: number): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    if (messages === 0) return counts;
    const describe =
      queue === VALIDATION_FAILURES
        ? (m: Parameters<typeof describeFailure>[0]) => describeFailure(m).types.join(' ')
        : reasonOf;
    const found = await this.router.deadLetters.peek(queue, REASONS_OF, describe);
    for (const reason of found) counts[reason] = (counts[reason] ?? 0) + 1;
    return counts;
  }
}
