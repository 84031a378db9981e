import { agentConfig, type AgentConfig } from '../../lib/config';
import { agentMetrics } from '../../lib/telemetry/definitions';
import { metricsService } from '../../mixins/metrics.mixin';

/** What this node has to say to Prometheus. */
export const agentMetricsService = (config: AgentConfig) => metricsService(agentMetrics, 'agent', config);

export default () => agentMetricsService(agentConfig());
