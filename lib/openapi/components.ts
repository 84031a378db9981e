import { CHAT_PAYLOAD_RULE, ISO_TIMESTAMP, OUTGOING_MESSAGE_SCHEMA } from '../protocol/chat-message';
import { jsonSchemaOf, type CustomRules, type JsonSchema } from './json-schema';

/** Years from 0 to 9999: the validator also takes the longer years that JavaScript prints, which RFC 3339 does not have. */
const TIMESTAMP: JsonSchema = {
  type: 'string',
  format: 'date-time',
  pattern: '^\\d{4}-\\d{2}-\\d{2}T([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d\\.\\d{3}Z$',
  description: 'Exactly what `Date.prototype.toISOString` prints.',
};

const CUSTOM: CustomRules = new Map([[ISO_TIMESTAMP, TIMESTAMP]]);

const message = jsonSchemaOf(OUTGOING_MESSAGE_SCHEMA, CUSTOM);
const properties = message.properties as Record<string, JsonSchema>;

const text = { type: 'string' } as const;
const object = (props: Record<string, JsonSchema>, required = Object.keys(props)): JsonSchema => ({
  type: 'object',
  required,
  properties: props,
});

const part = { type: 'object', required: ['ok'], properties: { ok: { type: 'boolean' } } };

/** Everything that the document refers to by name. The message is made from the rules that the agent checks it by. */
export const COMPONENTS = {
  schemas: {
    Message: message,
    Arrival: object({
      ...Object.fromEntries(['id', 'recipientId', 'type', 'timestamp'].map((name) => [name, properties[name]])),
      senderId: { ...properties.id, description: 'The agent whose signature was verified.' },
      payload: {
        ...payloadOf(),
        description:
          'What the sender sealed: an agent of this project seals nothing but this form, one of another may have added fields.',
      },
    }),
    Accepted: object({ id: properties.id as JsonSchema, status: { enum: ['waiting', 'sent'] } }),
    MessageStatus: object(
      {
        id: properties.id as JsonSchema,
        status: { enum: ['waiting', 'sent', 'failed', 'unknown'] },
        since: TIMESTAMP,
        reason: {
          ...text,
          description: 'Why it failed: EXPIRED, REFUSED with the words of the server, SOCKET_LOST, or UNREADABLE.',
        },
      },
      ['id', 'status', 'since'],
    ),
    Problem: object(
      {
        code: { ...text, description: 'Stable, safe to switch on.' },
        message: { ...text, description: 'Who must do what, for people.' },
        errors: { type: 'array', items: object({ path: text, rule: text, message: text }) },
      },
      ['code', 'message'],
    ),
    Health: object(
      {
        status: { enum: ['ok', 'unavailable'] },
        parts: { type: 'object', additionalProperties: part },
        message: text,
      },
      ['status'],
    ),
    Live: object({ status: { const: 'ok' } }),
  },
  headers: {
    RetryAfter: { description: 'When to come again, s.', schema: { type: 'integer', minimum: 1 } },
  },
  parameters: {
    traceparent: traceHeader(
      'traceparent',
      'The trace of the question (W3C Trace Context); what is malformed is ignored.',
    ),
    tracestate: traceHeader('tracestate', 'What belongs to it.'),
  },
} as const;

function payloadOf(): JsonSchema {
  return open(jsonSchemaOf({ payload: CHAT_PAYLOAD_RULE }, CUSTOM).properties as JsonSchema).payload as JsonSchema;
}

/** The same without a word about what else may be there. */
function open(schema: JsonSchema): JsonSchema {
  const entries = Object.entries(schema).filter(([name]) => name !== 'additionalProperties');
  const isSchema = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, isSchema(value) ? open(value as JsonSchema) : value]),
  );
}

function traceHeader(name: string, description: string): JsonSchema {
  return { name, in: 'header', description, schema: { type: 'string' } };
}
