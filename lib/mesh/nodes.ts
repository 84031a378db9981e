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

interface Connection {
  transit?: { connected: boolean; tx: { connected: boolean; channel: unknown } };
}

/** Whether the node has a transporter at all; an agent has none. */
export function inMesh(broker: ServiceBroker): boolean {
  return (broker as unknown as Connection).transit !== undefined;
}

/** Whether the node can speak to the others: `transit.connected` alone stays true when the connection is lost. */
export function meshConnected(broker: ServiceBroker): boolean {
  const { transit } = broker as unknown as Connection;
  return transit === undefined || (transit.connected && transit.tx.connected && Boolean(transit.tx.channel));
}
