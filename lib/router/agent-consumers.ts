import type { QueueConsumer } from '../amqp/consumer';
import { FinalError } from '../errors';
import { Turns } from '../turns';
import type { SendDown } from './deliver';

/**
 * The consumers of the agents whose sockets are on this node, at most one each: what is asked for one agent is done one
 * after the other, so that no consumer is ever left without a socket.
 */
export class AgentConsumers {
  private readonly sockets = new Map<string, SendDown>();
  private readonly consumers = new Map<string, QueueConsumer>();
  private readonly turns = new Turns();

  constructor(private readonly create: (agentId: string, send: SendDown) => QueueConsumer) {}

  /** Consumes the agent's queue and hands each message to `send`; replaces an earlier socket. */
  async attach(agentId: string, send: SendDown): Promise<void> {
    this.sockets.set(agentId, send);
    await this.resume(agentId);
  }

  /** Ends that; what was not acknowledged goes back to the queue, in order. */
  async detach(agentId: string): Promise<void> {
    this.sockets.delete(agentId);
    await this.pause(agentId);
  }

  /** Stops consuming while the socket stays; true when it was consuming. */
  pause(agentId: string): Promise<boolean> {
    return this.turns.run(agentId, () => this.close(agentId));
  }

  /** Takes nothing more from the agent's queue; what is in flight can still be answered until `detach`. */
  quiesce(agentId: string): Promise<void> {
    this.sockets.delete(agentId);
    return this.turns.run(agentId, async () => this.consumers.get(agentId)?.quiesce());
  }

  /** Consumes for the socket that is attached; throws FinalError AGENT_NOT_CONNECTED when there is none here. */
  resume(agentId: string): Promise<void> {
    return this.turns.run(agentId, async () => {
      await this.close(agentId);
      const send = this.sockets.get(agentId);
      if (!send) throw new FinalError('AGENT_NOT_CONNECTED', `Agent ${agentId} has no socket on this node`);
      const consumer = this.create(agentId, send);
      this.consumers.set(agentId, consumer);
      await consumer.start();
    });
  }

  /**
   * Begins to consume anew where that is done at all, because the queue was found missing so long ago, ms. Who began since
   * then consumes the queue that is there; its messages in flight would come again for nothing.
   */
  async renew(agentId: string, missingForMs = 0): Promise<void> {
    const consumer = this.consumers.get(agentId);
    if (!consumer || !this.sockets.has(agentId)) return;
    if (!consumer.consuming || consumer.consumingForMs >= missingForMs) await this.resume(agentId);
  }

  /** Messages on their way to the agent and not answered yet; undefined when its queue is not consumed here. */
  inFlight(agentId: string): number | undefined {
    return this.consumers.get(agentId)?.inFlight;
  }

  /** Whether its queue is consumed here right now. */
  isConsuming(agentId: string): boolean {
    return this.consumers.get(agentId)?.consuming ?? false;
  }

  /** Messages on their way to all agents of this node. */
  get totalInFlight(): number {
    let total = 0;
    for (const { inFlight } of this.consumers.values()) total += inFlight;
    return total;
  }

  /** Hands everything back. */
  async stop(): Promise<void> {
    await Promise.all([...this.consumers.keys()].map((agentId) => this.detach(agentId)));
    await this.turns.settled();
  }

  private async close(agentId: string): Promise<boolean> {
    const consumer = this.consumers.get(agentId);
    this.consumers.delete(agentId);
    await consumer?.close();
    return consumer !== undefined;
  }
}
