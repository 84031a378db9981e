import type { ServiceBroker } from 'moleculer';
import { nodesWith } from './nodes';

export interface Answers<T> {
  answers: { node: string; answer: T }[];
  /** Nodes that did not answer in time. */
  silentNodes: string[];
}

const TIMEOUT_MS = 2000;

/**
 * Asks every node that runs one of these services, once each, for `<service>.<action>`; the first service that a node
 * has is asked.
 */
export async function askAll<T>(
  broker: ServiceBroker,
  services: string[],
  action: string,
  params: object = {},
): Promise<Answers<T>> {
  const serviceOf = new Map<string, string>();
  for (const service of [...services].reverse()) {
    for (const node of nodesWith(broker, service)) serviceOf.set(node, service);
  }
  const result: Answers<T> = { answers: [], silentNodes: [] };
  const ask = async ([node, service]: [string, string]) => {
    try {
      const options = { nodeID: node, timeout: TIMEOUT_MS, retries: 0 };
      result.answers.push({ node, answer: await broker.call<T, object>(`${service}.${action}`, params, options) });
    } catch {
      result.silentNodes.push(node);
    }
  };
  await Promise.all([...serviceOf].sort().map(ask));
  return result;
}
