import type { ServiceBroker } from 'moleculer';

interface NodeInfo {
  id: string;
  services: { name: string }[];
}

interface Registry {
  registry: { getNodeList(options: { onlyAvailable: boolean; withServices: boolean }): NodeInfo[] };
}

/** Ids of the live nodes that run a service, sorted, so that every node sees the same first one. */
export function nodesWith(broker: ServiceBroker, service: string): string[] {
  return (broker as unknown as Registry).registry
    .getNodeList({ onlyAvailable: true, withServices: true })
    .filter((node) => node.services.some(({ name }) => name === service))
    .map((node) => node.id)
    .sort();
}
