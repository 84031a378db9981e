import { COMPONENTS } from './components';
import { EXAMPLE_ARRIVAL, EXAMPLE_HEALTH, EXAMPLE_MESSAGE, EXAMPLE_STATUS } from './examples';
import type { JsonSchema } from './json-schema';
import { POST_PROBLEMS, problemResponses, STATUS_PROBLEMS } from './problems';

/** Of the interface, not of the software: a field or a status more raises the second number. */
const API_VERSION = '1.1.0';

const ref = (path: string) => ({ $ref: `#/components/${path}` });
const json = (schema: string, example?: unknown) => ({
  'application/json': { schema: ref(`schemas/${schema}`), ...(example !== undefined && { example }) },
});
const answer = (description: string, schema: string, example?: unknown) => ({
  description,
  content: json(schema, example),
});
const TRACE = [ref('parameters/traceparent'), ref('parameters/tracestate')];

/** What an agent serves, as OpenAPI 3.1: with `metricsPort`, metrics are elsewhere and left out. */
export function openApiDocument({ metricsPort }: { metricsPort?: number } = {}): JsonSchema {
  return {
    openapi: '3.1.0',
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    info: {
      title: 'Agent of DMR, Distributed Message Rooms',
      version: API_VERSION,
      summary: 'What a chatbot and the operators of its organisation ask of their agent.',
      description: 'The agent asks for no login: only its own chatbot and its operators may reach it.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/', description: 'The agent that serves this document' }],
    tags: [{ name: 'messages' }, { name: 'operations' }],
    paths: { ...messagePaths(), ...operationPaths(), ...(metricsPort === undefined && metricsPath()) },
    webhooks: { message: { post: arrival() } },
    components: COMPONENTS,
  };
}

function messagePaths(): JsonSchema {
  return { '/v1/messages': { post: postMessage() }, '/v1/messages/{id}': { get: messageStatus() } };
}

function postMessage(): JsonSchema {
  const prefer = {
    name: 'Prefer',
    in: 'header',
    description: '`respond-async` asks for 202 as soon as the message is on the disk of the agent (RFC 7240).',
    schema: { type: 'string' },
    example: 'respond-async',
  };
  const preference = {
    description: '`respond-async` where it was asked for.',
    schema: { const: 'respond-async' },
  };
  const location = { description: 'Where to ask how it goes on.', required: true, schema: { type: 'string' } };
  return {
    operationId: 'postMessage',
    tags: ['messages'],
    summary: 'Sends a message to the chatbot of another organisation',
    description: 'The same message under the same id is sent once, however often it is posted.',
    parameters: [prefer, ...TRACE],
    requestBody: {
      required: true,
      description: 'At most 100 kB (102,400 bytes), JSON in UTF-8.',
      content: json('Message', EXAMPLE_MESSAGE),
    },
    responses: {
      200: { description: "Confirmed in the recipient's queue. The body is empty." },
      202: {
        ...answer("Safe on the agent's disk; it goes out when a server is there.", 'Accepted', {
          id: EXAMPLE_MESSAGE.id,
          status: 'waiting',
        }),
        headers: { Location: location, 'Preference-Applied': preference },
        links: { status: { operationId: 'messageStatus', parameters: { id: '$response.body#/id' } } },
      },
      ...problemResponses(POST_PROBLEMS),
    },
  };
}

function messageStatus(): JsonSchema {
  const id = { name: 'id', in: 'path', required: true, schema: { type: 'string', format: 'uuid' } };
  return {
    operationId: 'messageStatus',
    tags: ['messages'],
    summary: 'What became of a message that was posted here within the last 25 hours',
    parameters: [{ ...id, example: EXAMPLE_MESSAGE.id }],
    responses: {
      200: answer('What the agent remembers.', 'MessageStatus', EXAMPLE_STATUS),
      ...problemResponses(STATUS_PROBLEMS),
    },
  };
}

function operationPaths(): JsonSchema {
  const operations = { tags: ['operations'] };
  return {
    '/v1/health': {
      get: {
        ...operations,
        operationId: 'health',
        summary: 'Whether the agent can do its job',
        responses: {
          200: answer('Every part is ok.', 'Health', EXAMPLE_HEALTH),
          503: answer('A part is not: no server, no list of agents, or no room on the disk.', 'Health'),
        },
      },
    },
    '/v1/health/live': {
      get: {
        ...operations,
        operationId: 'live',
        summary: 'Whether the process answers',
        responses: { 200: answer('It does.', 'Live', { status: 'ok' }) },
      },
    },
    '/v1/openapi.json': {
      get: {
        ...operations,
        operationId: 'openApi',
        summary: 'This document',
        responses: {
          200: { description: 'OpenAPI 3.1.', content: { 'application/json': { schema: { type: 'object' } } } },
        },
      },
    },
  };
}

function metricsPath(): JsonSchema {
  const content = { 'text/plain': { schema: { type: 'string' } } };
  return {
    '/metrics': {
      get: {
        operationId: 'metrics',
        tags: ['operations'],
        summary: 'Metrics for Prometheus',
        responses: {
          200: { description: 'The text format, version 0.0.4.', content },
          503: answer('The agent is starting or stopping.', 'Health'),
        },
      },
    },
  };
}

function arrival(): JsonSchema {
  const redelivered = {
    name: 'x-dmr-redelivered',
    in: 'header',
    description: 'There when an earlier POST of this id may have been taken: answer 2xx if you have it.',
    schema: { const: 'true' },
  };
  return {
    operationId: 'messageArrived',
    tags: ['messages'],
    summary: 'A message for the chatbot, posted to OUTGOING_MESSAGE_ENDPOINT',
    description: 'Messages of one chat come in order, one after the other. The answer has OUTGOING_MESSAGE_TIMEOUT_MS.',
    parameters: [redelivered, ...TRACE],
    requestBody: { required: true, content: json('Arrival', EXAMPLE_ARRIVAL) },
    responses: {
      '2XX': { description: 'Taken.' },
      408: { description: 'Tried again.' },
      425: { description: 'Tried again.' },
      429: {
        description: 'Tried again, not before Retry-After.',
        headers: { 'Retry-After': ref('headers/RetryAfter') },
      },
      '3XX': { description: 'Refused for good: redirects are not followed.' },
      '4XX': { description: 'Refused for good, any other than those above.' },
      '5XX': { description: 'Tried again for OUTGOING_MESSAGE_RETRY_MS.' },
    },
  };
}
