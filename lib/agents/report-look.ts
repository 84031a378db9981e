import type { Log } from '../log';
import { isWhole, type Taken } from './agent-list';
import type { CentOpsList } from './centops-client';
import type { SyncMetrics } from './sync-metrics';

const LOGGED_REJECTIONS = 10;

/** Says in log and metrics what an answer of CentOps was worth; `known`: agents in the list after it. */
export function reportLook(log: Log, metrics: SyncMetrics, answer: CentOpsList, taken: Taken, known: number): void {
  const { diff, missing, suspicious } = taken;
  metrics.looked(isWhole(answer) ? 'whole' : 'partial', suspicious ? missing : 0);
  for (const why of answer.rejected.slice(0, LOGGED_REJECTIONS)) log.warn(`CentOps' list is not whole: ${why}`);
  const more = answer.rejected.length - LOGGED_REJECTIONS;
  if (more > 0) log.warn(`CentOps' list is not whole for ${more} reasons more`);
  if (answer.agents.length === 0) log.warn('CentOps lists no usable agent; nothing is removed for that');
  if (suspicious) {
    const advice = 'If that is right, call config-sync.sync with {accept: true}; if not, mend CentOps';
    log.error(`CentOps lacks ${missing} of ${known} agents: nobody is removed. ${advice}`);
  } else if (missing > 0) {
    log.warn(`CentOps lacks ${missing} agents; they are kept until it has done so for CENTOPS_REMOVE_AFTER_MS`);
  }
  const [added, changed, removed] = [diff.added.length, diff.changed.length, diff.removed.length];
  if (added + changed + removed === 0) return;
  log.info('agent list changed', { event: 'agents-changed', added, changed, removed });
}
