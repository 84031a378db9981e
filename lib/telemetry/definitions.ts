export { agentMetrics } from './agent-metrics';
export type { Definitions, MetricDefinition } from './metric-definition';
export { serverMetrics } from './server-metrics';
