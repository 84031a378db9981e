import { EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { AgentDiff, AgentSnapshot, DepartedAgent } from '../agents/agent-record';
import { AgentDirectory, isEmptyDiff } from '../agents/directory';
import { departedSpanMs, mergeSnapshots, withoutLongGone } from '../agents/merge';
import { declareQueue, lookAtQueue, queueDepth, type QueueLook } from '../amqp/admin';
import { AmqpConnection } from '../amqp/connection';
import { QueueConsumer, type MessageHandler } from '../amqp/consumer';
import { deleteEmptyQueue } from '../amqp/delete-empty';
import { Publisher } from '../amqp/publisher';
import { confirmEmpty } from '../amqp/really-empty';
import { agentQueues, deadLetterQueue, dlqName, validationFailuresQueue, type QueueDefinition } from '../amqp/topology';
import type { ServerConfig } from '../config/types';
import { DeadLetters } from '../dlq/dead-letters';
import { messageOf } from '../errors';
import type { Log } from '../log';
import type { ServerAck } from '../protocol/events';
import type { Metrics } from '../telemetry/metrics';
import type { RoutingEvents } from '../telemetry/routing-events';
import { Trail } from '../telemetry/trail';
import { TrailedEvents } from '../telemetry/trailed-events';
import { noTracing, type Tracing } from '../telemetry/tracing';
import { accept, type AcceptContext } from './accept';
import { AgentConsumers } from './agent-consumers';
import { declareEach } from './declare-each';
import { deliver, type SendDown } from './deliver';
import { FailureLimit } from './failure-limit';
import { InFlight } from './in-flight';
import { moveToDlq } from './retire';
import { watchRouter } from './router-metrics';
import { Suspects } from './suspects';

/**
 * A queue that was deleted is not declared again before its consumer was told so: RabbitMQ 3.10 takes a consumer over into
 * a queue that follows at once, gives it messages, and none arrives.
 */
const BEFORE_DECLARING_MS = 500;
const START_TIMEOUT_MS = 10_000;
const CONFIRM_LATENCY = 'dmr_confirm_latency_seconds';

/** Ready messages of an agent's two queues; undefined for a queue that does not exist. */
export interface QueueDepths {
  queue: number | undefined;
  dlq: number | undefined;
}

/**
 * Everything one process needs to route: the agent list and three AMQP connections, because the broker stops reading
 * from a connection that publishes while it is in alarm, and consuming and administration must go on then.
 * Emits `agents` after the list changed, and `redeclared` with an agent's id after its queue was found missing, so many ms
 * ago, and declared: who has consumed it for longer has to begin anew, as it may be one that was not told in time.
 */
export class NodeRouter extends EventEmitter<{ agents: [AgentDiff]; redeclared: [string, number] }> {
  readonly directory = new AgentDirectory();
  /** The way down: consumers of the agents whose sockets are on this node. */
  readonly consumers = new AgentConsumers((agentId, send) => this.consumerOf(agentId, send));
  /** What operators do with the messages that nobody should need. */
  readonly deadLetters: DeadLetters;
  /** What this process remembers of the latest messages. */
  readonly trail: Trail;
  readonly inFlight = new InFlight();
  private readonly publishing: AmqpConnection;
  private readonly consuming: AmqpConnection;
  private readonly admin: AmqpConnection;
  private readonly publisher: Publisher;
  private readonly events: RoutingEvents;
  private readonly accepting: AcceptContext;
  private readonly asIs = new Set<string>();
  private readonly redeclaring = new Map<string, Promise<void>>();
  private known: AgentSnapshot = { agents: [], departed: [], missing: [] };
  private readonly unwatch: () => void;

  constructor(
    private readonly config: ServerConfig,
    nodeID: string,
    private readonly log: Log,
    private readonly metrics: Metrics,
    private readonly tracing: Tracing = noTracing,
  ) {
    super();
    const connection = (use: string) => new AmqpConnection(config.amqp, `${nodeID} ${use}`, log);
    this.publishing = connection('publish');
    this.consuming = connection('consume');
    this.admin = connection('admin');
    this.publisher = new Publisher(this.publishing, log, (seconds) => metrics.observe(CONFIRM_LATENCY, seconds));
    this.trail = new Trail(config.trailSize);
    const isVerbose = ['debug', 'trace'].includes(config.logger.level);
    this.events = new TrailedEvents(metrics, log, this.trail, isVerbose);
    this.deadLetters = new DeadLetters(this.admin, this.publisher, config.ttl, log);
    this.accepting = this.acceptContext(config);
    this.unwatch = watchRouter(this, metrics);
  }

  /** Starts connecting and returns at once; every reconnect declares the queues again. */
  start(): void {
    this.admin.on('open', () => void this.declareAll());
    this.publishing.on('open', () => void this.openPublisher());
    for (const connection of [this.publishing, this.consuming, this.admin]) connection.start();
  }

  /**
   * Hands back what is in flight, has whatever goes through a queue end, then closes the connections: that for publishing
   * last, as what was published and not confirmed would be there twice.
   */
  async stop(): Promise<void> {
    this.unwatch();
    await Promise.all([this.consumers.stop(), this.deadLetters.stop()]);
    await Promise.all([this.consuming, this.admin].map((connection) => connection.stop()));
    await this.publishing.stop();
  }

  /**
   * What of this node's broker connections works right now. An alarm of the broker makes no node unfit: deliveries go on,
   * and who logs in empties a queue, so a balancer must not take all nodes away.
   */
  health() {
    const works = {
      publishing: this.publisher.isOpen,
      consuming: this.consuming.isOpen,
      administration: this.admin.isOpen,
    };
    return { ok: Object.values(works).every(Boolean), ...works, blocked: this.publishing.blocked };
  }

  /** Which connections are open, and whether the broker is in alarm. */
  connections() {
    const { publishing, consuming, admin } = this;
    return { publish: publishing.isOpen, consume: consuming.isOpen, admin: admin.isOpen, blocked: publishing.blocked };
  }

  /** Takes in what a config-sync knows of the agents, in whatever order the news arrive. */
  takeSnapshot(snapshot: AgentSnapshot): void {
    this.known = withoutLongGone(mergeSnapshots(this.known, snapshot), departedSpanMs(this.config));
    const diff = this.directory.replace(this.known.agents.map(({ listedAt: _, ...agent }) => agent));
    if (isEmptyDiff(diff)) return;
    this.metrics.listAgents(this.known.agents.map(({ id }) => id));
    this.emit('agents', diff);
  }

  /** Who left CentOps, as far as anybody remembers. */
  get departed(): DepartedAgent[] {
    return this.known.departed;
  }

  /** The way up: from an authenticated agent into the recipient's queue. */
  accept(agentId: string, message: unknown): Promise<ServerAck> {
    return accept(this.accepting, agentId, message);
  }

  /** Declares the queues of several agents and validation-failures, see `declareEach` for what it throws. */
  declareMany(agentIds: string[]): Promise<void> {
    const { ttl } = this.config;
    const groups = [[validationFailuresQueue(ttl)], ...agentIds.map((id) => agentQueues(id, ttl))];
    return declareEach(groups, (queue) => this.declareOne(queue));
  }

  /** Declares both queues of an agent and validation-failures; throws RetryableError BROKER_UNAVAILABLE. */
  async declare(agentId: string): Promise<void> {
    for (const queue of agentQueues(agentId, this.config.ttl)) await this.declareOne(queue);
    await this.declareOne(validationFailuresQueue(this.config.ttl));
  }

  /** Once for all messages that find the queue missing at the same time. */
  private redeclare(agentId: string): Promise<void> {
    const pending = this.redeclaring.get(agentId) ?? this.declareAfterPause(agentId);
    this.redeclaring.set(agentId, pending);
    return pending;
  }

  private async declareAfterPause(agentId: string): Promise<void> {
    const missingSince = performance.now();
    try {
      await delay(BEFORE_DECLARING_MS);
      await this.declare(agentId);
    } finally {
      this.redeclaring.delete(agentId);
    }
    this.emit('redeclared', agentId, performance.now() - missingSince);
  }

  /** Moves what waits for an agent that left to its DLQ; returns how many messages. */
  async moveToDlq(agentId: string): Promise<number> {
    if ((await queueDepth(this.admin, agentId)) === undefined) return 0;
    await this.declareOne(deadLetterQueue(agentId, this.config.ttl));
    return moveToDlq(this.admin, this.publisher, agentId, () => this.directory.get(agentId) === undefined);
  }

  /**
   * Deletes the queues of an agent that left, each only when it is empty; true when both are gone. One that comes back
   * in that very moment has its queues declared again at once. Throws as `deleteEmptyQueue`.
   */
  async deleteQueues(agentId: string): Promise<boolean> {
    const hasLeft = () => this.directory.get(agentId) === undefined;
    const gone = (await this.deleteQueue(agentId, hasLeft)) && (await this.deleteQueue(dlqName(agentId), hasLeft));
    if (hasLeft()) return gone;
    await this.declare(agentId);
    return false;
  }

  /** Ready messages and consumers of a queue by name; undefined when it does not exist. */
  look(queue: string): Promise<QueueLook | undefined> {
    return lookAtQueue(this.admin, queue);
  }

  /** Makes sure of a look that saw nothing, see `confirmEmpty`. */
  confirmEmpty(queue: string): Promise<void> {
    return confirmEmpty(this.admin, queue);
  }

  /** Whether the queue was found with other arguments than ours, which cannot be changed. */
  isAsIs(queue: string): boolean {
    return this.asIs.has(queue);
  }

  /** Ready messages of a queue by name; undefined when it does not exist. */
  depth(queue: string): Promise<number | undefined> {
    return queueDepth(this.admin, queue);
  }

  async depths(agentId: string): Promise<QueueDepths> {
    const [queue, dlq] = await Promise.all([this.depth(agentId), this.depth(dlqName(agentId))]);
    return { queue, dlq };
  }

  private acceptContext({ confirmTimeoutMs, limits, ttl }: ServerConfig): AcceptContext {
    const { directory, publisher, tracing, events, log, metrics } = this;
    const declareAgent = (id: string) => this.redeclare(id);
    const declareFailures = () => this.declareOne(validationFailuresQueue(ttl));
    const failures = new FailureLimit(limits.failuresPerSecond, metrics, log);
    const limited = { confirmTimeoutMs, maxBytes: limits.messageBytes, failures };
    return { directory, publisher, declareAgent, declareFailures, ...limited, tracing, events, log };
  }

  private consumerOf(agentId: string, send: SendDown): QueueConsumer {
    const { publisher, tracing, events, log } = this;
    const { delivery } = this.config;
    const declare = () => this.declare(agentId);
    const suspects = new Suspects(delivery.ackTimeoutMs);
    const context = { agentId, send, publisher, declare, delivery, suspects, tracing, events };
    const handle: MessageHandler = (message, signal) =>
      this.inFlight.during(agentId, message, () => deliver(context, message, signal));
    return new QueueConsumer(this.consuming, { queue: agentId, prefetch: delivery.prefetch, declare, handle }, log);
  }

  private async declareAll(): Promise<void> {
    try {
      await this.declareMany(this.directory.list().map(({ id }) => id));
    } catch (error) {
      this.log.warn(`queues are declared again at the next connection: ${messageOf(error)}`);
    }
  }

  private async openPublisher(): Promise<void> {
    try {
      await this.publisher.open(START_TIMEOUT_MS);
    } catch (error) {
      this.log.warn(`the publishing channel opens with the next message: ${messageOf(error)}`);
    }
  }

  private async deleteQueue(queue: string, isUnused: () => boolean): Promise<boolean> {
    const { gone, lost } = await deleteEmptyQueue(this.admin, queue, isUnused);
    if (gone) this.noteAsIs(queue, false);
    if (lost > 0) this.log.error(`${lost} messages came into queue ${queue} while it was deleted, and are lost`);
    return gone;
  }

  private async declareOne(queue: QueueDefinition): Promise<void> {
    const result = await declareQueue(this.admin, queue);
    const known = this.asIs.has(queue.name);
    this.noteAsIs(queue.name, result.state === 'as-is');
    if (result.state === 'declared' || known) return;
    this.log.warn(`queue ${queue.name} exists with other arguments and is used as it is: ${result.reason}`);
  }

  private noteAsIs(queue: string, asIs: boolean): void {
    if (asIs) this.asIs.add(queue);
    else this.asIs.delete(queue);
    this.metrics.set('dmr_queues_as_is', this.asIs.size);
  }
}
