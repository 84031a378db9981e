import type { ServiceBroker } from 'moleculer';
import { isStopping } from './last-to-stop';
import { inMesh, meshConnected } from './nodes';

/** One part of a node that must work, with what is known about it. */
export interface HealthPart {
  ok: boolean;
  [detail: string]: unknown;
}

export type HealthParts = Record<string, HealthPart>;

type Source = () => HealthParts | Promise<HealthParts>;

const perBroker = new WeakMap<ServiceBroker, Set<Source>>();

/** Lets a service speak for parts of its node; of two that speak for the same part the later one counts. Returns what ends that. */
export function addHealth(broker: ServiceBroker, source: Source): () => void {
  const sources = perBroker.get(broker) ?? new Set<Source>();
  perBroker.set(broker, sources.add(source));
  return () => void sources.delete(source);
}

/** All parts of the node, whichever services it runs. Throws what a source throws. */
export async function healthOf(broker: ServiceBroker): Promise<HealthParts> {
  const parts: HealthParts = {};
  for (const source of perBroker.get(broker) ?? []) Object.assign(parts, await source());
  // Services that have stopped speak for their parts no more: what is left would sound well.
  if (isStopping(broker)) parts['leaving'] = { ok: false };
  return inMesh(broker) ? { ...parts, mesh: { ok: meshConnected(broker) } } : parts;
}
