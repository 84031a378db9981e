import type { Log } from '../log';
import { Seldom } from '../seldom';
import type { Metrics } from '../telemetry/metrics';
import { TokenBucket } from '../token-bucket';

const BURST_S = 10;
const REPEAT_WARNING_MS = 60_000;

/** How many of an agent's refused messages are kept: one that sends nothing else must not fill the broker's disk. */
export class FailureLimit {
  /** Of the agents that ever sent something wrong, at most as many as CentOps lists. */
  private readonly buckets = new Map<string, TokenBucket>();
  private readonly warnings = new Seldom(REPEAT_WARNING_MS);

  constructor(
    private readonly perSecond: number,
    private readonly metrics: Metrics,
    private readonly log: Log,
  ) {}

  /** Whether one more is kept; what is not is counted. */
  takes(agentId: string): boolean {
    if (this.bucketOf(agentId).take()) return true;
    this.metrics.inc('dmr_validation_failures_dropped_total');
    const heldBack = this.warnings.mayTell(agentId);
    if (heldBack !== undefined) {
      const context = { event: 'failures-limited', senderId: agentId, heldBack };
      this.log.warn('refused messages of this agent are not kept: there are too many', context);
    }
    return false;
  }

  private bucketOf(agentId: string): TokenBucket {
    const bucket = this.buckets.get(agentId) ?? new TokenBucket(this.perSecond, this.perSecond * BURST_S);
    this.buckets.set(agentId, bucket);
    return bucket;
  }
}
