import { FailureLimit } from '../../../lib/router/failure-limit';
import { countingMetrics, RecordingLog } from '../fakes';

describe('the limit of what is kept in validation-failures', () => {
  it('is one for each agent; what is beyond it is counted, and told once', () => {
    const { metrics, counted } = countingMetrics();
    const log = new RecordingLog();
    const limit = new FailureLimit(2, metrics, log);
    const kept = Array.from({ length: 50 }, () => limit.takes('a')).filter(Boolean).length;
    expect(kept).toBe(20);
    expect(limit.takes('b')).toBe(true);
    expect(counted).toEqual({ dmr_validation_failures_dropped_total: 30 });
    expect(log.at('warn')).toHaveLength(1);
    expect(log.lines[0]?.context).toEqual({ event: 'failures-limited', senderId: 'a', heldBack: 0 });
  });
});
