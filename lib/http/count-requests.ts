import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { secondsSince, type Labels, type Metrics } from '../telemetry/metrics';

const METHODS = new Set(['GET', 'POST', 'HEAD', 'OPTIONS', 'PUT', 'PATCH', 'DELETE']);

/**
 * Counts every request that a server answers, those included that never reach a route. `routes` are paths, of which the
 * last part may be `:id` for any. All others, and odd methods, count as `other`: what a client sends must not become a
 * label.
 */
export function countRequests(server: Server, routes: ReadonlySet<string>, metrics: Metrics): void {
  const shared = new Map<string, Labels>();
  // First in line: moleculer-web rewrites the URL.
  server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
    const started = performance.now();
    const path = (request.url ?? '').split('?')[0] ?? '';
    const method = METHODS.has(request.method ?? '') ? (request.method as string) : 'other';
    const route = routeOf(path, routes);
    metrics.inc('dmr_http_requests_total', sharedLabels(shared, { method, route }));
    response.once('finish', () => {
      const labels = sharedLabels(shared, { method, route, status: String(response.statusCode) });
      metrics.inc(response.statusCode < 400 ? 'dmr_http_success_total' : 'dmr_http_errors_total', labels);
      metrics.observe('dmr_http_request_duration_seconds', secondsSince(started), labels);
    });
  });
}

/** The same object for the same labels, as `Metrics` sums up by object; there are as many as there are series. */
function sharedLabels(shared: Map<string, Labels>, labels: Labels): Labels {
  const key = Object.values(labels).join(' ');
  const known = shared.get(key);
  if (!known) shared.set(key, labels);
  return known ?? labels;
}

function routeOf(path: string, routes: ReadonlySet<string>): string {
  if (routes.has(path)) return path;
  const parent = path.slice(0, path.lastIndexOf('/'));
  const withId = `${parent}/:id`;
  return path.length > parent.length + 1 && routes.has(withId) ? withId : 'other';
}
