import type { KeyObject } from 'node:crypto';
import type { KeyRing } from '../crypto/key-ring';

/**
 * Which key a login is signed with: the one that fits the certificate that CentOps lists, as far as this agent knows;
 * at a server that refused it the other, in turn. So whichever side changes its key first, the agent gets in.
 */
export class LoginKeys {
  /** By server: one that refuses everybody must not turn the key for the others. */
  private readonly refusals = new Map<string, number>();

  constructor(
    private readonly keys: KeyRing,
    /** The certificate listed for this agent. */
    private readonly listed: () => string | undefined,
  ) {}

  next(url: string): KeyObject {
    const fitting = this.keys.signingKeyFor(this.listed());
    const order = [fitting, ...this.keys.opening.filter((key) => key !== fitting)];
    return order[(this.refusals.get(url) ?? 0) % order.length] as KeyObject;
  }

  refused(url: string): void {
    this.refusals.set(url, (this.refusals.get(url) ?? 0) + 1);
  }

  /** The list that follows a login says which key fits from now on. */
  accepted(): void {
    this.refusals.clear();
  }
}
