import type { ServiceBroker } from 'moleculer';
import { nodesWith } from '../mesh/nodes';
import type { AgentSessions } from './agent-sessions';
import type { Login, Outcome, Yielded } from './rivals';

/** A node that does not answer in this time must not keep an agent out, ms. */
const TIMEOUT_MS = 1000;

/** What a gateway says of itself. */
export interface GatewayState {
  /** It lets nobody in. */
  leaving: boolean;
  /** It has the agent list and RabbitMQ. */
  ready: boolean;
  agents: number;
}

/** The gateways of the other nodes, as far as one agent may be logged in at several of them. */
export class Neighbours {
  constructor(private readonly broker: ServiceBroker) {}

  /** Asks all others to give way to a login. */
  async takeOver(login: Login): Promise<Outcome> {
    const answers = await this.ask<Yielded | boolean>('gateway.io.drop', login);
    const said = answers.map(({ answer }) => answer).filter((answer) => typeof answer === 'object');
    return { newer: said.some(({ newer }) => newer), gone: said.flatMap(({ gone }) => (gone ? [gone] : [])) };
  }

  /** Compares the logins here with those of all others, or of one: what is older gives way, here and there. */
  async compare(sessions: AgentSessions, nodeID?: string): Promise<void> {
    const logins = sessions.logins();
    if (logins.length === 0) return;
    for (const { answer } of await this.ask<string[]>('gateway.io.compare', { logins }, nodeID)) {
      const newerThere = new Set(answer);
      sessions.giveUp(logins.filter(({ agentId }) => newerThere.has(agentId)));
    }
  }

  /** Whether any of them lets agents in. */
  async anyOpen(): Promise<boolean> {
    const answers = await this.ask<GatewayState>('gateway.io.state', {});
    return answers.some(({ answer }) => !answer.leaving && answer.ready);
  }

  /** The answers of those that gave one in time. */
  private async ask<T>(action: string, params: object, only?: string): Promise<{ answer: T }[]> {
    const others = nodesWith(this.broker, 'gateway.io').filter((nodeID) => nodeID !== this.broker.nodeID);
    const asked = only === undefined ? others : others.filter((nodeID) => nodeID === only);
    const options = { timeout: TIMEOUT_MS, retries: 0 };
    const call = (nodeID: string) => this.broker.call<T, object>(action, params, { ...options, nodeID });
    const results = await Promise.allSettled(asked.map(call));
    return results.flatMap((result) => (result.status === 'fulfilled' ? [{ answer: result.value }] : []));
  }
}
