import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Service, ServiceSchema } from 'moleculer';
import ApiGateway from 'moleculer-web';
import { defineMixin } from '../lib/define-service';
import { messageOf } from '../lib/errors';
import { sendJson } from '../lib/http/operations-route';
import { HttpError, problemOf } from '../lib/http/problem';

interface HttpService extends Service {
  server: Server;
  errorHandler(request: IncomingMessage, response: ServerResponse, error: unknown): void;
}

/**
 * moleculer-web takes OPTIONS for the preflight of any other method and runs that one's route. No origin of ours is asked
 * by scripts of other pages, so there is no preflight.
 */
function refuseOptions(request: IncomingMessage, _response: ServerResponse, next: (error?: unknown) => void): void {
  next(request.method === 'OPTIONS' ? new HttpError(404, 'NOT_FOUND', 'There is nothing at this path') : undefined);
}

/**
 * moleculer-web as all our nodes use it: quiet, without its administrative actions, every error answered as
 * `{code, message, errors?}`. The service adds `settings.port` and `settings.routes`.
 */
export const httpMixin: Partial<ServiceSchema> = defineMixin<HttpService>({
  mixins: [ApiGateway],
  settings: {
    logRequest: null,
    logRequestParams: null,
    logResponse: null,
    logRouteRegistration: null,
    use: [refuseOptions],
  },
  actions: { listAliases: false, addRoute: false, removeRoute: false },
  methods: {
    errorHandler(this: HttpService, _request: IncomingMessage, response: ServerResponse, error: unknown) {
      const { status, retryAfterS, ...body } = problemOf(error);
      if (status >= 500 && body.code === 'INTERNAL') this.logger.error(`request failed: ${messageOf(error)}`);
      if (response.headersSent) return;
      if (retryAfterS !== undefined) response.setHeader('retry-after', String(retryAfterS));
      sendJson(response, status, body);
    },

    /** What moleculer-web calls when no route fits. */
    sendError(this: HttpService, request: IncomingMessage, response: ServerResponse, error: unknown) {
      this.errorHandler(request, response, error);
    },
  },
});
