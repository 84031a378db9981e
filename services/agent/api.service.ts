import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Service, ServiceSchema } from 'moleculer';
import { agentConfig, type AgentConfig } from '../../lib/config';
import { defineService } from '../../lib/define-service';
import { contentTypeProblem } from '../../lib/http/content-type';
import { countRequests } from '../../lib/http/count-requests';
import { descriptionAliases } from '../../lib/http/docs-page';
import { drainHttp } from '../../lib/http/drain';
import { operationsRoute, sendJson } from '../../lib/http/operations-route';
import { prefers } from '../../lib/http/prefer';
import { HttpError, problemOf } from '../../lib/http/problem';
import type { Posted, PostStatus } from '../../lib/outbox/posts';
import { beforeStop } from '../../lib/mesh/before-stop';
import { addHealth, type HealthPart, type HealthParts } from '../../lib/mesh/health';
import { tracingOf } from '../../lib/mesh/tracing-hook';
import { violationsOf, type OutgoingMessage } from '../../lib/protocol/chat-message';
import { messageAttributes } from '../../lib/telemetry/span-attributes';
import { traceContextOf } from '../../lib/telemetry/trace-context';
import type { Span } from '../../lib/telemetry/tracing';
import { httpMixin } from '../../mixins/http.mixin';
import { metricsOf } from '../../mixins/metrics.mixin';

const BODY_LIMIT = '100kb';
/** Longer than a message waits for the server's ack, as a rule. */
const DRAIN_MS = 5000;
const RESPOND_ASYNC = 'respond-async';
const ROUTES = new Set([
  ...['/v1/messages', '/v1/messages/:id', '/v1/health', '/v1/health/live', '/metrics'],
  ...['/v1/openapi.json', '/v1/docs', '/v1/docs/:id'],
]);

interface ApiService extends Service {
  server: Server;
  healthParts(): Promise<HealthParts>;
  traced(request: JsonRequest, response: ServerResponse): Promise<void>;
  accept(request: JsonRequest, response: ServerResponse, span: Span): Promise<void>;
  tell(id: string, response: ServerResponse): Promise<void>;
}

type JsonRequest = IncomingMessage & { body?: unknown; $params: { id: string } };
type Next = (error?: unknown) => void;

/** Whether the parser is to read the body: it must not have another opinion of that than the answer. */
const isRead = ({ headers }: IncomingMessage) => contentTypeProblem(headers['content-type']) === undefined;

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
          bodyParsers: { json: { limit: BODY_LIMIT, type: isRead } },
          mappingPolicy: 'restrict',
          aliases: {
            'POST /messages'(this: ApiService, request: JsonRequest, response: ServerResponse, next: Next) {
              this.traced(request, response).catch(next);
            },
            'GET /messages/:id'(this: ApiService, request: JsonRequest, response: ServerResponse, next: Next) {
              this.tell(request.$params.id, response).catch(next);
            },
            ...descriptionAliases(config),
          },
        },
        operationsRoute(config),
      ],
    },
    methods: {
      /** Takes up the chatbot's trace, or begins one. */
      async traced(this: ApiService, request: JsonRequest, response: ServerResponse) {
        const route = { 'http.request.method': 'POST', 'http.route': '/v1/messages' };
        const parent = traceContextOf(request.headers);
        const span = tracingOf(this.broker).start('POST /v1/messages', 'server', parent, route);
        try {
          await this.accept(request, response, span);
          span.end({ 'http.response.status_code': response.statusCode });
        } catch (error) {
          const { status, code } = problemOf(error);
          span.end({ 'http.response.status_code': status }, code);
          throw error;
        }
      },

      async accept(this: ApiService, request: JsonRequest, response: ServerResponse, span: Span) {
        const problem = contentTypeProblem(request.headers['content-type']);
        if (problem) throw problem;
        const violations = violationsOf(request.body);
        if (violations.length > 0) {
          throw new HttpError(400, 'MESSAGE_INVALID', 'The message breaks the rules under "errors"', violations);
        }
        const message = request.body as OutgoingMessage;
        const respondAsync = prefers([request.headers.prefer].flat().join(','), RESPOND_ASYNC);
        span.set(messageAttributes({ id: message.id }));
        const params = { message, respondAsync, trace: span.context };
        const { status, state } = await this.broker.call<Posted, object>('outbox.post', params, { timeout: 0 });
        if (respondAsync) response.setHeader('preference-applied', RESPOND_ASYNC);
        if (status === 200) return void response.writeHead(200, { 'content-length': '0' }).end();
        response.setHeader('location', `/v1/messages/${message.id}`);
        sendJson(response, 202, { id: message.id, status: state });
      },

      async tell(this: ApiService, id: string, response: ServerResponse) {
        const asked = /^[\da-f-]{36}$/i.test(id);
        const status = asked && (await this.broker.call<PostStatus | null, object>('outbox.status', { id }));
        if (status) return sendJson(response, 200, status);
        throw new HttpError(404, 'MESSAGE_UNKNOWN', 'This agent remembers no message with this id');
      },

      async healthParts(this: ApiService): Promise<HealthParts> {
        const { connected, list, known } = await this.broker.call<{ connected: boolean; list: boolean; known: number }>(
          'uplink.status',
        );
        const outbox = await this.broker.call<HealthPart>('outbox.health');
        return { uplink: { ok: connected }, agents: { ok: list, known }, outbox };
      },
    },
    created(this: ApiService) {
      addHealth(this.broker, () => this.healthParts());
    },
    started(this: ApiService) {
      countRequests(this.server, ROUTES, metricsOf(this.broker));
      // Before the uplink goes: what the chatbot has posted still needs it.
      beforeStop(this.broker, () => drainHttp(this.server, DRAIN_MS));
    },
  });
}

export default () => apiService(agentConfig());
