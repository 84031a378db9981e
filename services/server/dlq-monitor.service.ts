import type { Context, ServiceActionsSchema, ServiceSchema } from 'moleculer';
import { VALIDATION_FAILURES } from '../../lib/amqp/topology';
import { serverConfig, type ServerConfig } from '../../lib/config';
import { defineService } from '../../lib/define-service';
import { DlqOperations, type RemovalParams } from '../../lib/dlq/operations';
import { showQueues } from '../../lib/dlq/queue-gauges';
import { QueueWatch, type QueueRow } from '../../lib/dlq/queue-watch';
import { messageOf } from '../../lib/errors';
import { nodesWith } from '../../lib/mesh/nodes';
import { askGateways } from '../../lib/router/routes';
import { Turns } from '../../lib/turns';
import { metricsOf } from '../../mixins/metrics.mixin';
import { nodeRouterMixin, type NodeRouterService } from '../../mixins/node-router.mixin';

/** Messages ready in one of the queues that nobody should need. */
export interface DeadLetterCount {
  queue: string;
  /** The agent of a dead-letter queue; null for validation-failures. */
  agentId: string | null;
  messages: number;
}

/** Event `dlq.growing`: a queue holds more than at the last count. */
export interface DlqGrowing extends DeadLetterCount {
  before: number;
}

interface DlqMonitorService extends NodeRouterService {
  queueWatch: QueueWatch;
  operations: DlqOperations;
  turns: Turns;
  last: Map<string, number>;
  /** True once all queues have been counted by this node. */
  began: boolean;
  timer: NodeJS.Timeout | undefined;
  firstNode(): string | undefined;
  round(): Promise<QueueRow[]>;
  queueRows(ctx: Context): Promise<QueueRow[]>;
  watch(): Promise<void>;
  compare(counts: DeadLetterCount[], busy: ReadonlySet<string>): Promise<void>;
}

/** A scan ends after 90 s by itself. */
const SCAN_LIMIT_MS = 120_000;
/** An agent's id, or `validation-failures`. */
const agentId = {
  type: 'string',
  pattern: new RegExp(`^([\\da-f]{8}(-[\\da-f]{4}){3}-[\\da-f]{12}|${VALIDATION_FAILURES})$`, 'i'),
};
const removalParams = {
  agentId,
  ids: { type: 'array', items: { type: 'string', min: 1, max: 64 }, min: 1, max: 1000, optional: true },
  reason: { type: 'string', pattern: /^\w{1,40}$/, optional: true },
  from: { type: 'string', max: 40, optional: true },
  to: { type: 'string', max: 40, optional: true },
  all: { type: 'boolean', optional: true },
  dryRun: { type: 'boolean', optional: true },
  limit: { type: 'number', integer: true, min: 1, optional: true },
};

const actions: ServiceActionsSchema = {
  /** Counts the dead letters and the refused messages now. */
  counts: {
    visibility: 'public',
    async handler(this: DlqMonitorService) {
      return deadLetterCounts(await this.queueWatch.count());
    },
  },
  /** All queues, with who consumes them and how old they are; the first node of the mesh answers, as it alone looks. */
  queues: {
    visibility: 'public',
    timeout: 30_000,
    handler(this: DlqMonitorService, ctx: Context) {
      return this.queueRows(ctx);
    },
  },
  /** The queues that nobody should need, by number and age; `reasons` looks into each, at its first 200 messages. */
  list: {
    visibility: 'public',
    timeout: SCAN_LIMIT_MS,
    params: { reasons: { type: 'boolean', optional: true } },
    async handler(this: DlqMonitorService, ctx: Context<{ reasons?: boolean }>) {
      return this.operations.list(await this.queueRows(ctx), ctx.params.reasons === true);
    },
  },
  /** The first messages of one of them, without their content. */
  peek: {
    visibility: 'public',
    timeout: SCAN_LIMIT_MS,
    params: { agentId, limit: { type: 'number', integer: true, min: 1, max: 1000, default: 20 } },
    handler(this: DlqMonitorService, { params }: Context<{ agentId: string; limit: number }>) {
      return this.operations.peek(params.agentId, params.limit);
    },
  },
  /** Puts dead letters back into their agent's queue, see DeadLetters `replay`. */
  replay: {
    visibility: 'public',
    timeout: SCAN_LIMIT_MS,
    params: removalParams,
    handler(this: DlqMonitorService, { params, nodeID }: Context<RemovalParams>) {
      return this.operations.replay(params, nodeID ?? '');
    },
  },
  /** Deletes dead letters or refused messages. */
  purge: {
    visibility: 'public',
    timeout: SCAN_LIMIT_MS,
    params: removalParams,
    handler(this: DlqMonitorService, { params, nodeID }: Context<RemovalParams>) {
      return this.operations.purge(params, nodeID ?? '');
    },
  },
};

/** Watches the queues, speaks up when one grows that nobody should need, and empties it when an operator asks for it. */
export function dlqMonitorService(config: ServerConfig): ServiceSchema {
  return defineService<DlqMonitorService>({
    name: 'dlq-monitor',
    mixins: [nodeRouterMixin(config)],
    actions,
    methods: {
      /** The node that looks at heads and speaks for all; two that both think so do no harm. */
      firstNode(this: DlqMonitorService) {
        return nodesWith(this.broker, 'dlq-monitor')[0];
      },

      async queueRows(this: DlqMonitorService, ctx: Context) {
        const first = this.firstNode();
        if (first === undefined || first === this.broker.nodeID) return this.round();
        return ctx.call<QueueRow[], object>('dlq-monitor.queues', {}, { nodeID: first });
      },

      /** Counts; on the first node also with ages. One after the other, as they remember. */
      round(this: DlqMonitorService) {
        return this.turns.run('', async () => {
          const rows = await this.queueWatch.count();
          if (this.firstNode() !== this.broker.nodeID) return rows;
          await this.queueWatch.complete(rows, (await askGateways(this.broker)).placed);
          return rows;
        });
      },

      async watch(this: DlqMonitorService) {
        const { directory } = this.nodeRouter;
        const { ready } = directory;
        try {
          const rows = await this.round();
          const isListed = (id: string) => directory.get(id) !== undefined;
          showQueues(metricsOf(this.broker), rows, isListed, config.ttl, this.queueWatch.unanswered);
          // One that somebody goes through right now shows less than it holds.
          await this.compare(
            deadLetterCounts(rows),
            new Set(rows.filter(({ consumers }) => consumers > 0).map(({ queue }) => queue)),
          );
          this.began ||= ready;
        } catch (error) {
          this.logger.warn(`dead letters could not be counted: ${messageOf(error)}`);
        }
        if (this.timer) this.timer = setTimeout(() => void this.watch(), config.dlqMonitorIntervalMs);
      },

      /** The first node of the mesh speaks for all. */
      async compare(this: DlqMonitorService, counts: DeadLetterCount[], busy: ReadonlySet<string>) {
        const speaks = this.firstNode() === this.broker.nodeID;
        for (const count of counts) {
          if (busy.has(count.queue)) continue;
          // What lay there before this node began to look has not grown under its eyes; a queue that came since has.
          const before = this.last.get(count.queue) ?? (this.began ? 0 : count.messages);
          if (count.messages > before && speaks) {
            this.logger.warn('dead letters are growing', { event: 'dlq-growing', ...count, before });
            await this.broker.emit('dlq.growing', { ...count, before });
          }
          this.last.set(count.queue, count.messages); // said, or else said again after the next count
        }
        const there = new Set([...counts.map(({ queue }) => queue), ...this.queueWatch.unanswered]);
        for (const queue of this.last.keys()) if (!there.has(queue)) this.last.delete(queue);
      },
    },
    created(this: DlqMonitorService) {
      this.queueWatch = new QueueWatch(this.nodeRouter, config.ttl, this.logger);
      this.operations = new DlqOperations(this.nodeRouter, metricsOf(this.broker), this.logger);
      this.turns = new Turns();
      this.last = new Map();
      this.began = false;
    },
    started(this: DlqMonitorService) {
      this.timer = setTimeout(() => void this.watch(), config.dlqMonitorIntervalMs);
    },
    stopped(this: DlqMonitorService) {
      clearTimeout(this.timer);
      this.timer = undefined;
    },
  });
}

function deadLetterCounts(rows: QueueRow[]): DeadLetterCount[] {
  return rows
    .filter(({ kind }) => kind !== 'agent')
    .map(({ queue, agentId, messages }) => ({ queue, agentId, messages }));
}

export default () => dlqMonitorService(serverConfig());
