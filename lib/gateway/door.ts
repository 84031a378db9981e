import type { ServerConfig } from '../config/types';
import { TokenError, verifyToken } from '../crypto/token';
import { DmrError, messageOf, RetryableError } from '../errors';
import type { Log } from '../log';
import type { NodeRouter } from '../router/node-router';
import { Seldom } from '../seldom';
import type { Metrics } from '../telemetry/metrics';
import { uuidOrNone } from '../uuid';
import type { AgentSocket } from './agent-gateway';
import { tokenOf } from './handshake';

const REPEAT_WARNING_MS = 60_000;

/** Finds out who wants in, and turns away whoever may not. */
export class Door {
  /** Nobody is let in any more: the node is about to stop. */
  closed = false;
  private readonly warnings = new Seldom(REPEAT_WARNING_MS);

  constructor(
    private readonly config: ServerConfig,
    private readonly router: NodeRouter,
    private readonly metrics: Metrics,
    private readonly log: Log,
  ) {}

  /** Notes on the socket which agent this is; what it throws is an error that may be shown to the agent. */
  async authorize(socket: AgentSocket): Promise<void> {
    let claimed: string | undefined;
    try {
      if (this.closed) throw new RetryableError('SERVER_LEAVING', 'This server is stopping, connect to another one');
      const { directory } = this.router;
      if (!directory.ready) throw new TokenError('the agent list is not there yet, try again');
      const maxAgeMs = this.config.socket.tokenMaxAgeMs;
      const keyOf = (id: string) => directory.keyOf((claimed = id));
      const agentId = await verifyToken(tokenOf(socket), keyOf, maxAgeMs);
      socket.data = { agentId, certificate: directory.get(agentId)?.authenticationCertificate };
    } catch (error) {
      const [code, text] = error instanceof DmrError ? [error.code, error.message] : ['INTERNAL', 'Login failed'];
      this.metrics.inc('dmr_socket_errors_total');
      this.metrics.inc('dmr_logins_refused_total', { reason: code });
      this.warn(socket.handshake.address, claimed, code, messageOf(error));
      throw Object.assign(new Error(text), { data: { code } });
    }
  }

  /**
   * An agent with a wrong key tries for ever: one warning a minute says how often. Behind a balancer all have one address;
   * who it claims to be tells them apart.
   */
  private warn(address: string, claimed: string | undefined, code: string, why: string): void {
    const agentId = uuidOrNone(claimed);
    const heldBack = this.warnings.mayTell(`${agentId ?? address} ${why}`);
    if (heldBack === undefined) return;
    this.log.warn('login refused', { event: 'login-refused', code, why, agentId, address, heldBack });
  }
}
