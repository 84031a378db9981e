import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { secondsSince, type Metrics } from '../telemetry/metrics';

const METHODS = new Set(['GET', 'POST', 'HEAD', 'OPTIONS', 'PUT', 'PATCH', 'DELETE']);

/**
 * Counts every request that a server answers, those included that never reach a route. `routes` are paths, of which the
 * last part may be `:id` for any. All others, and odd methods, count as `other`: what a client sends must not become a
 * label.
 */
export function countRequests(server: Server, routes: ReadonlySet<string>, metrics: Metrics): void {
  // First in line: moleculer-web rewrites the URL.
  server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
    const started = performance.now();
    const path = (request.url ?? '').split('?')[0] ?? '';
    const method = METHODS.has(request.method ?? '') ? (request.method as string) : 'other';
    const route = routeOf(path, routes);
    metrics.inc('dmr_http_requests_total', { method, route });
    response.once('finish', () => {
      const labels = { method, route, status: String(response.statusCode) };
      metrics.inc(response.statusCode < 400 ? 'dmr_http_success_total' : 'dmr_http_errors_total', labels);
      metrics.observe('dmr_http_request_duration_seconds', secondsSince(started), labels);
    });
  });
}

function routeOf(path: string, routes: ReadonlySet<string>): string {
  if (routes.has(path)) return path;
  const parent = path.slice(0, path.lastIndexOf('/'));
  const withId = `${parent}/:id`;
  return path.length > parent.length + 1 && routes.has(withId) ? withId : 'other';
}
