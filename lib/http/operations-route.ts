import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Service } from 'moleculer';

/** One part of a node that must work, with what is known about it. */
export interface HealthPart {
  ok: boolean;
  [detail: string]: unknown;
}

/** What a service with health must offer: its parts by name. */
export interface HealthyService extends Service {
  healthParts(): Record<string, HealthPart> | Promise<Record<string, HealthPart>>;
}

type Handler = (
  this: HealthyService,
  request: IncomingMessage,
  response: ServerResponse,
  next: (error: unknown) => void,
) => void;

/**
 * The paths that operators' tools read: `/v1/health` (200 only when every part is ok, else 503), `/v1/health/live`
 * (200 while the process answers) and `/metrics`.
 */
export function operationsRoute() {
  const health: Handler = function (_request, response, next) {
    Promise.resolve(this.healthParts())
      .then((parts) => {
        const ok = Object.values(parts).every((part) => part.ok);
        sendJson(response, ok ? 200 : 503, { status: ok ? 'ok' : 'unavailable', parts });
      })
      .catch(next);
  };
  const live: Handler = (_request, response) => sendJson(response, 200, { status: 'ok' });
  const metrics: Handler = function (_request, response) {
    this.broker
      .call<string, object>('metrics.text', {}, { nodeID: this.broker.nodeID })
      .then((text) => response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text))
      .catch(() => sendJson(response, 503, { status: 'unavailable', message: 'no metrics service on this node' }));
  };
  return {
    path: '/',
    bodyParsers: false,
    aliases: { 'GET /v1/health': health, 'GET /v1/health/live': live, 'GET /metrics': metrics },
    mappingPolicy: 'restrict',
  };
}

/** Answers with JSON. */
export function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(body));
}
