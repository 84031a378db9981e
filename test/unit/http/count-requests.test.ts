import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { Metrics } from '../../../lib/telemetry/metrics';
import { countRequests } from '../../../lib/http/count-requests';
import { countingMetrics } from '../fakes';

const ROUTES = new Set(['/v1/messages', '/v1/messages/:id', '/metrics']);

let server: Server;
let port: number;
let counted: Record<string, number>;
let observed: Record<string, number[]>;

beforeEach(async () => {
  const counting = countingMetrics();
  counted = counting.counted;
  observed = counting.observed;
  server = createServer((request, response) => {
    const status = Number(request.headers['x-answer'] ?? 200);
    request.url = '/'; // as moleculer-web does
    response.writeHead(status).end();
  });
  countRequests(server, ROUTES, counting.metrics);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});

afterEach(async () => {
  server.close().closeAllConnections();
  await once(server, 'close');
});

/** Sends a request line as it stands and reads the answer to its end. */
async function request(line: string, answer = 200): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.end(`${line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Answer: ${answer}\r\n\r\n`);
  await text(socket);
}

const counters = () => Object.keys(counted);

describe('countRequests', () => {
  it('counts a request and its success, with method, route and status', async () => {
    await request('POST /v1/messages');
    await request('POST /v1/messages');
    expect(counted).toMatchObject({
      'dmr_http_requests_total{method="POST",route="/v1/messages"}': 2,
      'dmr_http_success_total{method="POST",route="/v1/messages",status="200"}': 2,
    });
    expect(counters()).toHaveLength(2);
  });

  it('measures how long the answer took, s', async () => {
    await request('POST /v1/messages');
    const [seconds] =
      observed['dmr_http_request_duration_seconds{method="POST",route="/v1/messages",status="200"}'] ?? [];
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThan(5);
  });

  it.each([
    [204, 'success'],
    [399, 'success'],
    [400, 'errors'],
    [404, 'errors'],
    [503, 'errors'],
  ])('counts an answer of %d under %s', async (status, kind) => {
    await request('GET /metrics', status);
    expect(counters()).toContain(`dmr_http_${kind}_total{method="GET",route="/metrics",status="${status}"}`);
    expect(counters()).toHaveLength(2);
  });

  it('counts a path with an id as one route, whichever id it is', async () => {
    for (const id of ['3f2b1c9a-8a3e-4c57-9d0e-0a1b2c3d4e5f', 'x', '..', ':id'])
      await request(`GET /v1/messages/${id}`);
    expect(counted).toMatchObject({ 'dmr_http_requests_total{method="GET",route="/v1/messages/:id"}': 4 });
    expect(counters()).toHaveLength(2);
  });

  it('leaves the query out of the route', async () => {
    await request('GET /metrics?token=secret');
    expect(counters()[0]).toBe('dmr_http_requests_total{method="GET",route="/metrics"}');
  });

  it.each([
    '/',
    '/v1',
    '/v1/messages/',
    '/v1/messages/x/y',
    '/v1/messages//x',
    '/v1/x',
    '/V1/messages',
    '//v1/messages',
    '/?/metrics',
    '/admin.php',
    '*',
    'http://x/metrics',
  ])('counts the path %s as another one', async (path) => {
    await request(`GET ${path}`);
    expect(counters()[0]).toBe('dmr_http_requests_total{method="GET",route="other"}');
  });

  it('counts methods nobody uses as one', async () => {
    await request('PROPFIND /metrics');
    await request('UNLINK /metrics');
    expect(counted).toMatchObject({ 'dmr_http_requests_total{method="other",route="/metrics"}': 2 });
  });

  it('has no more labels after a hundred odd requests', async () => {
    for (let index = 0; index < 100; index++) await request(`GET /${index}?${index}`);
    expect(counters()).toHaveLength(2);
  });

  it('gives the same object for the same labels: what is summed up is summed up by object', async () => {
    const given = jest.spyOn(Metrics.prototype, 'observe');
    for (const answer of [200, 200, 404]) await request('POST /v1/messages', answer);
    const [first, second, third] = given.mock.calls.map(([, , labels]) => labels);
    given.mockRestore();
    expect(second).toBe(first);
    expect(third).toEqual({ ...first, status: '404' });
  });
});
