import type { ConsumeMessage } from 'amqplib';
import { idOfMessage, waitingSinceOf } from '../dlq/letter';

/** The messages that this node has taken from the agents' queues and that nobody has answered yet. */
export class InFlight {
  private readonly byAgent = new Map<string, Set<ConsumeMessage>>();

  /** Counts the message in until the work is through. */
  async during<T>(agentId: string, message: ConsumeMessage, work: () => Promise<T>): Promise<T> {
    const messages = this.byAgent.get(agentId) ?? new Set();
    this.byAgent.set(agentId, messages);
    messages.add(message);
    try {
      return await work();
    } finally {
      messages.delete(message);
      if (messages.size === 0 && this.byAgent.get(agentId) === messages) this.byAgent.delete(agentId);
    }
  }

  /** The agent to which a message is on its way right now. */
  recipientOf(id: string): string | undefined {
    for (const [agentId, messages] of this.byAgent) {
      for (const message of messages) if (idOfMessage(message) === id) return agentId;
    }
    return undefined;
  }

  /** Since when the message that was taken first has been in the queue, ms since the epoch. */
  oldestOf(agentId: string): number | undefined {
    const [first] = this.byAgent.get(agentId) ?? [];
    return first && waitingSinceOf(first);
  }
}
