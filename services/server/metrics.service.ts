import { serverConfig, type ServerConfig } from '../../lib/config';
import { serverMetrics } from '../../lib/telemetry/definitions';
import { metricsService } from '../../mixins/metrics.mixin';

/** What this node has to say to Prometheus. */
export const serverMetricsService = (config: ServerConfig) => metricsService(serverMetrics, 'server', config);

export default () => serverMetricsService(serverConfig());
