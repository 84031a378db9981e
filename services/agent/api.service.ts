import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { ServiceSchema } from 'moleculer';
import { agentConfig, type AgentConfig } from '../../lib/config';
import { defineService } from '../../lib/define-service';
import { countRequests } from '../../lib/http/count-requests';
import { operationsRoute, type HealthPart, type HealthyService } from '../../lib/http/operations-route';
import { HttpError } from '../../lib/http/problem';
import { violationsOf } from '../../lib/protocol/chat-message';
import { httpMixin } from '../../mixins/http.mixin';
import { metricsOf } from '../../mixins/metrics.mixin';

const BODY_LIMIT = '100kb';
const ROUTES = new Set(['/v1/messages', '/v1/health', '/v1/health/live', '/metrics']);

interface ApiService extends HealthyService {
  server: Server;
  accept(request: JsonRequest): Promise<void>;
}

type JsonRequest = IncomingMessage & { body?: unknown };
type Next = (error?: unknown) => void;

/** What the chatbot and the operators of the agent see: REST. */
export function apiService(config: AgentConfig): ServiceSchema {
  return defineService<ApiService>({
    name: 'api',
    mixins: [httpMixin],
    dependencies: ['outbox', 'uplink'],
    settings: {
      port: config.port,
      routes: [
        {
          path: '/v1',
          bodyParsers: { json: { limit: BODY_LIMIT } },
          mappingPolicy: 'restrict',
          aliases: {
            'POST /messages'(this: ApiService, request: JsonRequest, response: ServerResponse, next: Next) {
              this.accept(request).then(() => response.writeHead(200, { 'content-length': '0' }).end(), next);
            },
          },
        },
        operationsRoute(),
      ],
    },
    methods: {
      async accept(this: ApiService, request: JsonRequest) {
        if (!/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? '')) {
          throw new HttpError(415, 'CONTENT_TYPE_UNSUPPORTED', 'The content type must be application/json');
        }
        const violations = violationsOf(request.body);
        if (violations.length > 0) {
          throw new HttpError(400, 'MESSAGE_INVALID', 'The message breaks the rules under "errors"', violations);
        }
        await this.broker.call('outbox.send', { message: request.body }, { timeout: 0 });
      },

      async healthParts(this: ApiService): Promise<Record<string, HealthPart>> {
        const { connected, list, known } = await this.broker.call<{ connected: boolean; list: boolean; known: number }>(
          'uplink.status',
        );
        return { uplink: { ok: connected }, agents: { ok: list, known } };
      },
    },
    started(this: ApiService) {
      countRequests(this.server, ROUTES, metricsOf(this.broker));
    },
  });
}

export default () => apiService(agentConfig());
