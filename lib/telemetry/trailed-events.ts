import type { Log } from '../log';
import type { Metrics } from './metrics';
import { RoutingEvents } from './routing-events';
import type { Trail, TrailEntry } from './trail';

type Of<Name extends keyof RoutingEvents> = Parameters<RoutingEvents[Name]>;

/** The same, remembered: what logs and metrics hear of a message goes into the trail as well. */
export class TrailedEvents extends RoutingEvents {
  constructor(
    metrics: Metrics,
    log: Log,
    private readonly trail: Trail,
    verbose?: boolean,
  ) {
    super(metrics, log, verbose);
  }

  override accepted(...args: Of<'accepted'>): void {
    this.note(args[0], { event: 'accepted' });
    super.accepted(...args);
  }

  override refused(...args: Of<'refused'>): void {
    const [senderId, errors, id, isTold = true] = args;
    // Who has too many refused must not push everything else out of the memory.
    if (isTold) this.trail.note(id, { event: 'refused', reason: typesOf(errors) }, { senderId });
    super.refused(...args);
  }

  override unavailable(...args: Of<'unavailable'>): void {
    this.note(args[0], { event: 'unavailable', reason: args[1] });
    super.unavailable(...args);
  }

  override sent(...args: Of<'sent'>): void {
    const [message, tries, reason] = args;
    this.note(message, { event: 'sent', tries, reason });
    super.sent(...args);
  }

  override delivered(...args: Of<'delivered'>): void {
    this.note(args[0], { event: 'delivered', tries: args[1] });
    super.delivered(...args);
  }

  override rejected(...args: Of<'rejected'>): void {
    this.note(args[0], { event: 'rejected', reason: typesOf(args[1]) });
    super.rejected(...args);
  }

  override deadLettered(...args: Of<'deadLettered'>): void {
    const [, id, reason, tries] = args;
    this.trail.note(id, { event: 'dead-lettered', reason, tries });
    super.deadLettered(...args);
  }

  private note(message: Of<'accepted'>[0], entry: Omit<TrailEntry, 'at'>): void {
    this.trail.note(message.id, entry, message);
  }
}

function typesOf(errors: Of<'rejected'>[1]): string {
  return [...new Set(errors.map(({ type }) => type))].join(' ');
}
