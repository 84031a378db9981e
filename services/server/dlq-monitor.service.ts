import type { ServiceSchema } from 'moleculer';
import { dlqName, VALIDATION_FAILURES } from '../../lib/amqp/topology';
import { serverConfig, type ServerConfig } from '../../lib/config';
import { defineService } from '../../lib/define-service';
import { messageOf } from '../../lib/errors';
import { nodesWith } from '../../lib/mesh/nodes';
import { mapParallel } from '../../lib/parallel';
import { metricsOf } from '../../mixins/metrics.mixin';
import { nodeRouterMixin, type NodeRouterService } from '../../mixins/node-router.mixin';

/** Queues counted at the same time, each on a channel of its own. */
const PARALLEL = 32;

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
  last: Map<string, number>;
  /** True once all queues have been counted by this node. */
  began: boolean;
  /** Agents whose queue is counted; one that left stays until its queue is gone. */
  seen: Set<string>;
  timer: NodeJS.Timeout | undefined;
  count(): Promise<DeadLetterCount[]>;
  countOf(agentId: string): Promise<DeadLetterCount[]>;
  watch(): Promise<void>;
  compare(counts: DeadLetterCount[]): Promise<void>;
}

/** Counts what lies in the dead-letter queues and validation-failures, and speaks up when it grows. */
export function dlqMonitorService(config: ServerConfig): ServiceSchema {
  return defineService<DlqMonitorService>({
    name: 'dlq-monitor',
    mixins: [nodeRouterMixin(config)],
    actions: {
      /** Counts now. */
      counts: {
        visibility: 'public',
        handler(this: DlqMonitorService) {
          return this.count();
        },
      },
    },
    methods: {
      async count(this: DlqMonitorService): Promise<DeadLetterCount[]> {
        const { directory, departed } = this.nodeRouter;
        for (const { id } of [...directory.list(), ...departed]) this.seen.add(id);
        const counts = await mapParallel([...this.seen], PARALLEL, (agentId) => this.countOf(agentId));
        const failures = (await this.nodeRouter.depth(VALIDATION_FAILURES)) ?? 0;
        return [...counts.flat(), { agentId: null, queue: VALIDATION_FAILURES, messages: failures }];
      },

      /** Nothing for an agent that left and whose queue went after it. */
      async countOf(this: DlqMonitorService, agentId: string): Promise<DeadLetterCount[]> {
        const queue = dlqName(agentId);
        const messages = await this.nodeRouter.depth(queue);
        if (messages !== undefined || this.nodeRouter.directory.get(agentId))
          return [{ agentId, queue, messages: messages ?? 0 }];
        this.seen.delete(agentId);
        this.last.delete(queue);
        return [];
      },

      async watch(this: DlqMonitorService) {
        const { ready } = this.nodeRouter.directory;
        try {
          await this.compare(await this.count());
          this.began ||= ready;
        } catch (error) {
          this.logger.warn(`dead letters could not be counted: ${messageOf(error)}`);
        }
        if (this.timer) this.timer = setTimeout(() => void this.watch(), config.dlqMonitorIntervalMs);
      },

      /** Every node counts for its own metrics; the first one of the mesh speaks for all. */
      async compare(this: DlqMonitorService, counts: DeadLetterCount[]) {
        const metrics = metricsOf(this.broker);
        const dead = counts.filter(({ agentId }) => agentId !== null);
        metrics.set(
          'dmr_dlq_messages',
          dead.reduce((sum, { messages }) => sum + messages, 0),
        );
        const failures = counts.find(({ agentId }) => agentId === null);
        metrics.set('dmr_validation_failures_messages', failures?.messages ?? 0);
        const speaks = nodesWith(this.broker, 'dlq-monitor')[0] === this.broker.nodeID;
        for (const count of counts) {
          // What lay there before this node began to look has not grown under its eyes; a queue that came since has.
          const before = this.last.get(count.queue) ?? (this.began ? 0 : count.messages);
          if (count.messages > before && speaks) {
            this.logger.warn('dead letters are growing', { event: 'dlq-growing', ...count, before });
            await this.broker.emit('dlq.growing', { ...count, before });
          }
          this.last.set(count.queue, count.messages); // said, or else said again after the next count
        }
      },
    },
    created(this: DlqMonitorService) {
      this.last = new Map();
      this.began = false;
      this.seen = new Set();
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

export default () => dlqMonitorService(serverConfig());
