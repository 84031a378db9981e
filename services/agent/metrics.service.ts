import { agentMetrics } from '../../lib/telemetry/definitions';
import { metricsService } from '../../mixins/metrics.mixin';

export default () => metricsService(agentMetrics);
