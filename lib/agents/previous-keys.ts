import type { KeyObject } from 'node:crypto';
import { importPublicKey } from '../crypto/keys';

/** A key that was listed for an agent until it changed. */
export interface PreviousKey {
  id: string;
  certificate: string;
  /** When it ceases to count, ms since the epoch. */
  until: number;
}

/** The keys that agents had before the listed ones, each for the time of the overlap. */
export class PreviousKeys {
  private readonly keys = new Map<string, PreviousKey & { key: KeyObject }>();

  /** How long one counts from the change on, ms. */
  constructor(private readonly overlapMs: number) {}

  /** Undefined when there is none, or its overlap is over. */
  of(id: string): KeyObject | undefined {
    const known = this.keys.get(id);
    if (!known || known.until > Date.now()) return known?.key;
    this.keys.delete(id);
    return undefined;
  }

  /** All that count still. */
  list(): PreviousKey[] {
    const now = Date.now();
    const counting = [...this.keys.values()].filter(({ until }) => until > now);
    return counting.map(({ id, certificate, until }) => ({ id, certificate, until }));
  }

  /** To be called when the key changes; what cannot be used as a key, or counts no longer, is not remembered. */
  remember(id: string, certificate: string, until = Date.now() + this.overlapMs): void {
    if (until <= Date.now()) return;
    const key = usableKey(certificate);
    if (key) this.keys.set(id, { id, certificate, until, key });
  }

  /** Takes what an earlier process has listed; none counts longer than if its key changed now. */
  restore(listed: PreviousKey[]): void {
    const latest = Date.now() + this.overlapMs;
    for (const { id, certificate, until } of listed) this.remember(id, certificate, Math.min(until, latest));
  }

  forget(id: string): void {
    this.keys.delete(id);
  }
}

function usableKey(certificate: string): KeyObject | undefined {
  try {
    return importPublicKey(certificate);
  } catch {
    return undefined; // it was listed and could never be used
  }
}
