import { setTimeout as delay } from 'node:timers/promises';
import type { Lifetime } from '../amqp/lifetime';
import { Turns } from '../turns';
import type { Outcome } from './deliver';

/** Returns after which a message is sent down alone, and after which it is given up; RabbitMQ 4 gives up at 20. */
const ALONE_AFTER = 8;
const GIVE_UP_AFTER = 16;
/** They all take turns with each other. */
const ALL = '';

/**
 * Messages that came back again and again: one of them may be what makes the agent drop its socket, and would do so
 * until it expires. A lost channel counts for every message on it, so the count alone accuses nobody: suspects go down
 * one after the other, in the order of the queue, so that the innocent ones before the culprit are taken; and of those
 * that have come back often enough, only the first is given up in each session. Nothing overtakes a suspect: what is
 * behind it may be of the same chat.
 */
export class Suspects {
  private readonly turns = new Turns();
  private gaveUp = false;

  /** @param waitMs how long a suspect is given to show what it does before the next one follows */
  constructor(private readonly waitMs: number) {}

  /** Hands a message over, at once or when it is its turn; or gives it up, reason SOCKET_LOST. */
  pass(returns: number, handOver: () => Promise<Outcome>, lifetime: Lifetime): Promise<Outcome> {
    if (returns >= ALONE_AFTER) return this.passAlone(returns, handOver, lifetime);
    return this.turns.isBusy(ALL) ? this.passBehind(handOver, lifetime) : handOver();
  }

  /** Goes down when the suspects before it have been shown, and holds up nobody. */
  private async passBehind(handOver: () => Promise<Outcome>, lifetime: Lifetime): Promise<Outcome> {
    let outcome: Promise<Outcome> | undefined;
    await this.turns.run(ALL, () => {
      if (!lifetime.ended) outcome = handOver();
      return Promise.resolve();
    });
    return outcome ?? { kind: 'released' };
  }

  private async passAlone(returns: number, handOver: () => Promise<Outcome>, lifetime: Lifetime): Promise<Outcome> {
    let outcome: Promise<Outcome> | undefined;
    await this.turns.run(ALL, async () => {
      if (lifetime.ended) return;
      if (returns >= GIVE_UP_AFTER && !this.gaveUp) {
        this.gaveUp = true;
        outcome = Promise.resolve({ kind: 'dead', reason: 'SOCKET_LOST', tries: returns });
        return;
      }
      outcome = handOver();
      await Promise.race([outcome, delay(this.waitMs, undefined, { ref: false })]);
    });
    return outcome ?? { kind: 'released' };
  }
}
