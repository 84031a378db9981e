import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Service, ServiceBroker } from 'moleculer';
import { healthOf } from '../mesh/health';

type Answer = (broker: ServiceBroker, response: ServerResponse) => Promise<void> | void;

const health: Answer = async (broker, response) => {
  try {
    const parts = await healthOf(broker);
    const ok = Object.values(parts).every((part) => part.ok);
    sendJson(response, ok ? 200 : 503, { status: ok ? 'ok' : 'unavailable', parts });
  } catch {
    sendJson(response, 503, { status: 'unavailable', message: 'a service of this node does not answer' });
  }
};

const live: Answer = (_broker, response) => sendJson(response, 200, { status: 'ok' });

const metrics: Answer = async (broker, response) => {
  try {
    const text = await broker.call<string, object>('metrics.text', {}, { nodeID: broker.nodeID });
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text);
  } catch {
    sendJson(response, 503, { status: 'unavailable', message: 'no metrics service on this node' });
  }
};

const HEALTH: readonly [string, Answer][] = [
  ['/v1/health', health],
  ['/v1/health/live', live],
];
const METRICS: readonly [string, Answer] = ['/metrics', metrics];

/**
 * The paths that operators' tools read, for the HTTP service of a node: `/v1/health` (200 only when every part is ok, else
 * 503), `/v1/health/live` (200 while the process answers) and, unless it has a port of its own, `/metrics`.
 */
export function operationsRoute({ metricsPort }: { metricsPort?: number }) {
  const answers = metricsPort === undefined ? [...HEALTH, METRICS] : HEALTH;
  const aliases = answers.map(([path, answer]) => [
    `GET ${path}`,
    function (this: Service, _request: IncomingMessage, response: ServerResponse) {
      void answer(this.broker, response);
    },
  ]);
  return {
    path: '/',
    bodyParsers: false,
    aliases: Object.fromEntries(aliases) as Record<string, unknown>,
    mappingPolicy: 'restrict',
  };
}

/** All of these paths, and nothing else, on a server of their own; it does not listen yet. */
export function operationsServer(broker: ServiceBroker): Server {
  const answers = new Map([...HEALTH, METRICS]);
  return createServer((request, response) => {
    const path = request.url?.split('?')[0] ?? '';
    const answer = request.method === 'GET' ? answers.get(path) : undefined;
    if (answer) void answer(broker, response);
    else sendJson(response, 404, { code: 'NOT_FOUND', message: 'There is nothing at this path' });
  });
}

/** Answers with JSON. */
export function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(body));
}
